package ipvsadm

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"quorate/fsm"
)

// listener is what a service takes.
type listener struct {
	protocol fsm.Protocol // "" by firewall mark
	addr     netip.AddrPort
	mark     uint32
	six      bool // of the mark
}

// line is one line that was understood: -A with the service, or -a with one server of it.
type line struct {
	at      listener
	server  bool
	service fsm.Service // scheduler, flags, persistence, one packet
	real    fsm.Server  // with its method spelled out
}

// fail is why a line cannot be taken over, with the cure.
type fail string

func (f fail) Error() string { return string(f) }

func failf(format string, args ...any) error { return fail(fmt.Sprintf(format, args...)) }

// words are the options of ipvsadm 1.31 by their long names, with how many values they have.
var words = map[string]struct {
	long  string
	value bool
}{
	"-A": {"add-service", false}, "-a": {"add-server", false}, "-E": {"edit-service", false}, "-D": {"delete-service", false}, "-C": {"clear", false}, "-e": {"edit-server", false},
	"-d": {"delete-server", false}, "-Z": {"zero", false},
	"-t": {"tcp-service", true}, "-u": {"udp-service", true}, "--sctp-service": {"sctp-service", true}, "-f": {"fwmark-service", true}, "-6": {"ipv6", false},
	"-s": {"scheduler", true}, "-p": {"persistent", true}, "-M": {"netmask", true}, "--pe": {"pe", true}, "-o": {"ops", false}, "-b": {"sched-flags", true},
	"-r": {"real-server", true}, "-m": {"masquerading", false}, "-g": {"gatewaying", false}, "-i": {"ipip", false}, "-w": {"weight", true},
	"-x": {"u-threshold", true}, "-y": {"l-threshold", true},
	"--tun-type": {"tun-type", true}, "--tun-port": {"tun-port", true}, "--tun-nocsum": {"tun-nocsum", false}, "--tun-csum": {"tun-csum", false}, "--tun-remcsum": {"tun-remcsum", false},
}

// option finds a word in its short or long form, and a value that hangs on it.
func option(word string) (long string, takes bool, value string, attached bool, err error) {
	name, value, attached := strings.Cut(word, "=")
	for short, w := range words {
		if name == short || name == "--"+w.long {
			return w.long, w.value, value, attached, nil
		}
	}
	return "", false, "", false, failf("%.40q is no option that can be taken over: leave it out, or the line", word)
}

// parse reads the words of one line.
func parse(text string) (line, error) {
	fields := strings.Fields(text)
	set := map[string]string{}
	for i := 0; i < len(fields); i++ {
		long, takes, value, attached, err := option(fields[i])
		switch {
		case err != nil:
			return line{}, err
		case attached && !takes:
			return line{}, failf("--%s has no value: leave it out", long)
		case takes && !attached && i+1 < len(fields) && (!strings.HasPrefix(fields[i+1], "-") || long != "persistent"):
			i++
			value = fields[i]
		case takes && !attached && long != "persistent":
			return line{}, failf("--%s has no value", long)
		}
		if _, twice := set[long]; twice {
			return line{}, failf("--%s is there twice", long)
		}
		set[long] = value
	}
	return meaning(set)
}

func meaning(set map[string]string) (l line, err error) {
	_, adds := set["add-service"]
	_, l.server = set["add-server"]
	if adds == l.server {
		return l, failf("only lines that add a service (-A) or a server (-a) say what there is: leave the line out")
	}
	delete(set, "add-service")
	delete(set, "add-server")
	for _, step := range []func(map[string]string, *line) error{parseListener, parseKind, parseServer} {
		if err := step(set, &l); err != nil {
			return l, err
		}
	}
	for long := range set {
		return l, failf("--%s does not belong into this line", long)
	}
	return l, nil
}

// take removes an option from what is left to be understood.
func take(set map[string]string, long string) (value string, ok bool) {
	value, ok = set[long]
	delete(set, long)
	return value, ok
}

func parseListener(set map[string]string, l *line) (err error) {
	n := 0
	for _, p := range []fsm.Protocol{fsm.TCP, fsm.UDP, fsm.SCTP} {
		if v, ok := take(set, string(p)+"-service"); ok {
			n++
			l.at.protocol = p
			if l.at.addr, err = addrPort(v); err != nil {
				return err
			}
		}
	}
	if v, ok := take(set, "fwmark-service"); ok {
		n++
		m, err := strconv.ParseUint(v, 10, 32)
		if err != nil || m == 0 {
			return failf("firewall mark %.40q: want a number from 1 to 4294967295", v)
		}
		l.at.mark = uint32(m)
	}
	_, l.at.six = take(set, "ipv6")
	switch {
	case n != 1:
		return failf("it names %d services: want one of -t, -u, --sctp-service and -f", n)
	case l.at.six && l.at.mark == 0:
		return failf("-6 goes with a firewall mark")
	}
	return nil
}

// addrPort reads ADDRESS:PORT in numbers.
func addrPort(v string) (netip.AddrPort, error) {
	a, err := netip.ParseAddrPort(v)
	if err != nil {
		if plain, e := netip.ParseAddr(strings.Trim(v, "[]")); e == nil && plain.Zone() == "" {
			return netip.AddrPortFrom(plain.Unmap(), 0), nil // ipvsadm takes a missing port for 0
		}
		return a, failf("%.60q is not ADDRESS:PORT in numbers: write the table with `ipvsadm -Sn`", v)
	}
	if a.Addr().Zone() != "" {
		return a, failf("address %.60q has a zone: use a routable address", v)
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), nil
}

// defaultPersistence is that of -p without a number (ipvsadm(8)).
const defaultPersistence = 360 * time.Second

func parseKind(set map[string]string, l *line) error {
	if l.server {
		return nil // what it has of these words does not belong there
	}
	s := &l.service
	s.Scheduler = "wlc"
	if v, ok := take(set, "scheduler"); ok {
		s.Scheduler = v
	}
	if !slices.Contains(fsm.Schedulers(), s.Scheduler) {
		return failf("scheduler %.40q is not known: use one of %s", s.Scheduler, strings.Join(fsm.Schedulers(), ", "))
	}
	if v, ok := take(set, "persistent"); ok {
		s.Persistence.Timeout = defaultPersistence
		if v != "" {
			n, err := strconv.ParseUint(v, 10, 32)
			if err != nil || n == 0 {
				return failf("persistence of %.40q: want seconds", v)
			}
			s.Persistence.Timeout = time.Duration(n) * time.Second
		}
	}
	if v, ok := take(set, "netmask"); ok {
		n, err := prefixOf(v, l.at.six || l.at.mark == 0 && l.at.addr.Addr().Is6())
		if err != nil {
			return err
		}
		s.Persistence.Prefix = n
	}
	s.Persistence.Engine, _ = take(set, "pe")
	_, s.OnePacket = take(set, "ops")
	if v, ok := take(set, "sched-flags"); ok {
		return parseFlags(v, s)
	}
	return nil
}

// parseFlags reads names, or flag-1 and flag-2, which ipvsadm has for those that it knows no name of.
func parseFlags(v string, s *fsm.Service) error {
	have := fsm.SchedulerFlags(s.Scheduler)
	for f := range strings.SplitSeq(v, ",") {
		name := f
		if i, isNumber := map[string]int{"flag-1": 0, "flag-2": 1}[f]; isNumber && i < len(have) {
			name = have[i] // -fallback, -port
		}
		if !slices.Contains(have, name) {
			return failf("scheduler %s has no flag %.40q: leave it out", s.Scheduler, f)
		}
		if !slices.Contains(s.Flags, name) {
			s.Flags = append(s.Flags, name)
		}
	}
	slices.Sort(s.Flags)
	return nil
}

// prefixOf reads a mask of IPv4, or a prefix length of IPv6; 0 is all of the address.
func prefixOf(v string, six bool) (int, error) {
	if six {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > 128 {
			return 0, failf("netmask %.40q: want a prefix length from 1 to 128", v)
		}
		return n % 128, nil
	}
	a, err := netip.ParseAddr(v)
	if err != nil || !a.Is4() {
		return 0, failf("netmask %.40q: want one of IPv4, e.g. 255.255.255.0", v)
	}
	b := a.As4()
	m := binary.BigEndian.Uint32(b[:])
	n := bits.LeadingZeros32(^m)
	if n == 0 || m != ^uint32(0)<<(32-n) {
		return 0, failf("netmask %v is no prefix: use one whose ones stand together", a)
	}
	return n % 32, nil
}

func parseServer(set map[string]string, l *line) (err error) {
	if !l.server {
		return nil
	}
	v, ok := take(set, "real-server")
	if !ok {
		return failf("it names no server: add -r ADDRESS:PORT")
	}
	r := &l.real
	if r.Address, err = addrPort(v); err != nil {
		return err
	}
	if r.Address.Port() == 0 && l.at.mark == 0 {
		r.Address = netip.AddrPortFrom(r.Address.Addr(), l.at.addr.Port()) // that of the service (ipvsadm(8), --real-server)
	}
	r.Forward = fsm.DirectRouting // the default
	n := 0
	for _, x := range []struct {
		long    string
		forward fsm.Forward
	}{{"masquerading", fsm.NAT}, {"gatewaying", fsm.DirectRouting}, {"ipip", fsm.Tunnel}} {
		if _, ok := take(set, x.long); ok {
			r.Forward, n = x.forward, n+1
		}
	}
	if n > 1 {
		return failf("it names %d forwarding methods: want one of -m, -g and -i", n)
	}
	if r.Weight, err = number(set, "weight", 1, fsm.MaxWeight); err != nil {
		return err
	}
	for _, x := range []struct {
		long string
		to   *uint32
	}{{"u-threshold", &r.Upper}, {"l-threshold", &r.Lower}} {
		n, err := number(set, x.long, 0, 1<<31-1)
		if err != nil {
			return err
		}
		*x.to = uint32(n)
	}
	return parseTunnel(set, r)
}

func parseTunnel(set map[string]string, r *fsm.Server) error {
	kind, typed := take(set, "tun-type")
	port, err := number(set, "tun-port", 0, 65535)
	if err != nil {
		return err
	}
	sums := []string{}
	for _, x := range [][2]string{{"tun-nocsum", ""}, {"tun-csum", "csum"}, {"tun-remcsum", "remcsum"}} {
		if _, ok := take(set, x[0]); ok {
			sums = append(sums, x[1])
		}
	}
	switch {
	case !typed && (port != 0 || len(sums) > 0):
		return failf("a tunnel without --tun-type: add it, or leave the other options of a tunnel out")
	case typed && r.Forward != fsm.Tunnel:
		return failf("--tun-type goes with -i")
	case len(sums) > 1:
		return failf("it names several checksums of the tunnel: want one")
	case typed && !slices.Contains([]string{"ipip", "gue", "gre"}, kind):
		return failf("tunnel of type %.40q: want ipip, gue or gre", kind)
	}
	if r.Encap.Port = uint16(port); kind != "ipip" {
		r.Encap.Type = kind
	}
	if len(sums) > 0 {
		r.Encap.Checksum = sums[0]
	}
	return nil
}

func number(set map[string]string, long string, otherwise, most int) (int, error) {
	v, ok := take(set, long)
	if !ok {
		return otherwise, nil
	}
	n, err := strconv.ParseUint(v, 10, 32)
	if err != nil || n > uint64(most) {
		return 0, failf("--%s %.40q: want a number from 0 to %d", long, v, most)
	}
	return int(n), nil
}
