package lab

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestTrafficThroughTheBridge(t *testing.T) {
	l := newLab(t)
	a := addHost(t, l, "a", "192.0.2.1/24", "2001:db8::1/64")
	b := addHost(t, l, "b", "192.0.2.2/24", "2001:db8::2/64")
	for _, name := range []string{"w1", "w2"} {
		port := uint16(8080)
		if name == "w2" {
			port = 8081
		}
		if _, err := a.ServeWeb(t.Context(), name, port); err != nil {
			t.Fatal(err)
		}
	}
	const rate = 200
	for server, target := range map[string]string{"w1": "192.0.2.1:8080", "w2": "[2001:db8::1]:8081"} {
		began := Now()
		load, err := b.StartLoad(t.Context(), netip.MustParseAddrPort(target), rate, 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "100 answers", func() bool { return load.Summary(Span{began, Now()}).Total >= 100 })
		if err := load.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		s := load.Summary(Span{began, Now()})
		if s.Failed != 0 || s.Servers[server] != s.Total {
			t.Errorf("%s: %s %v", target, s, s.Errors)
		}
		// A client that had to wait for a processor makes up for it: no request is early, and what was late follows at once.
		var at []Instant
		var gaps []time.Duration
		for _, r := range load.requests {
			at = append(at, r.At)
		}
		slices.Sort(at)
		for i := range at[1:] {
			gaps = append(gaps, at[i+1].Sub(at[i]))
		}
		slices.Sort(gaps)
		const interval = time.Second / rate
		if took, median := at[len(at)-1].Sub(began), gaps[len(gaps)/2]; took < time.Duration(len(gaps))*interval || median >= 4*interval {
			t.Errorf("%s: %d requests in %v, half of them after %v or more: want one per %v", target, len(at), took, median, interval)
		}
		t.Logf("%s: %s, median %v", target, s, s.Median)
	}
	// The web servers end with their host, in newLab's cleanup.
}

func TestHostIsAlone(t *testing.T) {
	l := newLab(t)
	a := addHost(t, l, "a", "192.0.2.1/24")
	if err := a.Sysctl("net.ipv4.ip_forward", "1"); err != nil {
		t.Fatal(err)
	}
	out, err := a.Run(t.Context(), "cat", "/proc/net/dev", "/proc/sys/net/ipv4/ip_forward")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.Stdout, ":"); n != 2 || !strings.HasSuffix(out.Stdout, "\n1\n") {
		t.Errorf("want lo, eth0 and forwarding, got\n%s", out.Stdout)
	}
	b, err := os.ReadFile("/proc/sys/net/ipv4/ip_forward")
	if err != nil {
		t.Fatal(err)
	}
	before := string(b)
	if err := a.Do(func() error {
		ifs, err := net.Interfaces()
		if err == nil && len(ifs) != 2 {
			t.Errorf("Do sees %v", ifs)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	ifs, err := net.InterfaceByName("eth0")
	if err == nil && ifs.HardwareAddr.String() == a.MAC.String() {
		t.Error("Do left this goroutine in the host")
	}
	if b, _ := os.ReadFile("/proc/sys/net/ipv4/ip_forward"); string(b) != before {
		t.Error("the machine's ip_forward changed")
	}
}

func TestProgramWithoutCapabilities(t *testing.T) {
	l := newLab(t)
	a := addHost(t, l, "a", "192.0.2.1/24")
	caps := func(without ...uintptr) uint64 {
		t.Helper()
		r, err := a.RunProgram(t.Context(), Program{Path: "sed", Args: []string{"-n", "s/CapEff:\t//p", "/proc/self/status"}, Without: without})
		if err != nil || r.Code != 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		set, err := strconv.ParseUint(strings.TrimSpace(r.Stdout), 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	all, some := caps(), caps(unix.CAP_NET_ADMIN, unix.CAP_NET_RAW)
	if want := all &^ (1<<unix.CAP_NET_ADMIN | 1<<unix.CAP_NET_RAW); some != want || all == want {
		t.Errorf("capabilities %x, and without two %x; want %x", all, some, want)
	}
}

func TestPowerLossTakesKernelStateAndPrograms(t *testing.T) {
	l := newLab(t)
	a := addHost(t, l, "a", "192.0.2.1/24")
	b := addHost(t, l, "b", "192.0.2.2/24")
	vip := netip.MustParsePrefix("192.0.2.100/24")
	p, err := a.Command(t.Context(), "sh", "-c", "sleep 600 & setsid sleep 600 & wait")
	if err != nil {
		t.Fatal(err)
	}
	w, err := a.ServeWeb(t.Context(), "w", 80)
	if err != nil {
		t.Fatal(err)
	}
	probe, err := b.StartProbe(a.Addr(), 2*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "an answer", func() bool { return probe.Answered(0) })
	if err := a.addTo(a.ns, vip); err != nil {
		t.Fatal(err)
	}
	if err := a.PowerOff(); err != nil {
		t.Fatal(err)
	}
	off := Now()
	for _, p := range []*Process{p, w.Process} {
		select {
		case <-p.Done():
		default:
			t.Errorf("%s runs without power", p.Name)
		}
	}
	if _, err := a.Command(t.Context(), "true"); err == nil {
		t.Error("started a program without power")
	}
	if err := a.PowerOff(); err == nil {
		t.Error("a second loss of power: want an error that says so")
	}
	<-time.After(100 * time.Millisecond)
	if err := a.PowerOn(); err != nil {
		t.Fatal(err)
	}
	on := Now()
	eventually(t, "an answer", func() bool { return probe.Answered(on) })
	if has, err := a.Carries(vip.Addr()); err != nil || has {
		t.Errorf("the added address survived: %v, %v", has, err)
	}
	if gap := probe.Gap(Span{off, Now()}).Duration(); gap < 100*time.Millisecond || gap > 3*time.Second {
		t.Errorf("probe saw a gap of %v", gap)
	}
}

func TestClosedLabIsClosed(t *testing.T) {
	l := newLab(t)
	addHost(t, l, "a", "192.0.2.1/24")
	for range 2 {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.AddHost("b"); err == nil {
		t.Error("added a host to a closed lab")
	}
}

func TestKilledLabIsSwept(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: a lab makes network namespaces")
	}
	before, err := TakeFootprint()
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), crashEnv+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	sc := bufio.NewScanner(out)
	var lines []string
	for len(lines) < 4 && sc.Scan() {
		lines = append(lines, sc.Text())
	}
	if len(lines) < 4 {
		t.Fatalf("got %q, %v", lines, cmd.Wait())
	}
	lab := find(t, lines[0])
	if !lab.Alive || lab.PID != cmd.Process.Pid {
		t.Errorf("want a live lab of process %d, got %+v", cmd.Process.Pid, lab)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // "signal: killed"
	for _, pid := range lines[1:3] {
		n, err := strconv.Atoi(pid)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "end of program "+pid, func() bool { return syscall.Kill(n, 0) != nil })
	}
	if lab = find(t, lines[0]); lab.Alive {
		t.Error("a killed lab counts as alive")
	}
	for range 2 {
		if err := lab.Sweep(time.Second); err != nil {
			t.Fatal(err)
		}
	}
	left, err := before.Compare(5 * time.Second)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

// TestLabsComeAndGoAtOnce: who looks for labs disturbs none that is being made, and neither does one that ends.
func TestLabsComeAndGoAtOnce(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it writes into " + StateDir)
	}
	over := make(chan struct{})
	var looks, labs sync.WaitGroup
	for range 2 {
		looks.Go(func() {
			for !closed(over) {
				if _, err := Running(); err != nil {
					t.Errorf("while labs come and go: %v", err)
					return
				}
			}
		})
	}
	for lab := range 4 {
		labs.Go(func() {
			for i := range 200 {
				id := fmt.Sprintf("quorate-lab-%d%03d%07d", lab+1, i, os.Getpid())
				s, err := claimState(id, filepath.Join(t.TempDir(), id))
				if err == nil {
					err = s.release()
				}
				if err != nil {
					t.Errorf("lab %d, time %d: %v", lab, i, err)
					return
				}
			}
		})
	}
	labs.Wait()
	close(over)
	looks.Wait()
}

func find(t *testing.T, id string) Found {
	t.Helper()
	all, err := Running()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(f Found) bool { return f.ID == id })
	if i < 0 {
		t.Fatalf("no lab %s in %+v", id, all)
	}
	return all[i]
}

// eventually polls: what it waits for is in other processes and in the kernel.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s within 10 s", what)
		}
	}
}
