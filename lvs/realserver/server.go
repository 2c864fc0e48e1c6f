package realserver

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"quorate/lvs"
)

// DefaultState is the file of what setup has made, unless another is named.
const DefaultState = "/var/lib/quorate/realserver.json"

// ErrRefused is the error of a setup for which something of somebody else is in the way; the report's problems say what.
var ErrRefused = errors.New("something stands in the way, and nothing was changed")

// Server is this host as a real server. Several processes may work on one host: one setup or undo runs at a time, and another
// is refused. Its methods are not for several goroutines at a time.
type Server struct {
	path   string
	kernel kernel
}

// Report is what a host has and lacks, and what was done about it.
type Report struct {
	VIPs []VIP `json:"vips"`
	// Ready: the host takes packets for the VIPs, and nobody else notices.
	Ready bool `json:"ready"`
	// Steps in their order. In the report of Check, and of a dry run, none is done.
	Steps    []Step    `json:"steps"`
	Problems []Problem `json:"problems"`
	Notes    []string  `json:"notes"`
}

// Done counts the steps that were taken.
func (r Report) Done() (n int) {
	for _, s := range r.Steps {
		if s.Done {
			n++
		}
	}
	return n
}

// Setup prepares the host for VIPs, beside those that it was prepared for before; for none, it does for those again what a
// reboot has undone. With dry it only reports. A step that fails ends it: the report says which were done, and the same
// call goes on from there. It needs NET_ADMIN and write access to /proc/sys and the state file, unless it is dry.
func (s *Server) Setup(vips []VIP, dry bool) (Report, error) {
	var out Report
	err := s.work(dry, func(f *file, r record) error {
		h, all, err := s.survey(&r, vips)
		if err != nil {
			return err
		}
		p := planSetup(h, r, all)
		out = Report{VIPs: all, Steps: p.steps, Problems: refusals(h, all), Notes: append(p.notes, hints(all)...)}
		switch {
		case len(out.Problems) > 0:
			return ErrRefused
		case dry:
			return nil
		}
		if !slices.Equal(r.VIPs, all) || len(p.steps)+len(p.forget) > 0 {
			r.VIPs = all
			err = s.run(f, &r, p)
		}
		out.Ready = err == nil
		return err
	})
	return out.tidy(), err
}

// Check reports what is missing for VIPs; for none, for those that the host was prepared for. It changes nothing and needs no
// privilege but to read the state file.
func (s *Server) Check(vips []VIP) (Report, error) {
	r, err := s.record()
	if err != nil {
		return Report{}, err
	}
	if len(vips) > 0 {
		known := r.VIPs
		r.VIPs = nil
		vips = inherit(vips, known)
	}
	h, all, err := s.survey(&r, vips)
	if err != nil {
		return Report{}, err
	}
	out := Report{VIPs: all, Problems: refusals(h, all), Notes: hints(all)}
	for _, n := range needs(h, all) {
		if !n.met {
			out.Steps = append(out.Steps, Step{Thing: n.Thing, From: n.have, To: n.to, Why: n.why})
		}
	}
	out.Ready = len(out.Steps)+len(out.Problems) == 0
	return out.tidy(), nil
}

// Undo takes back what Setup made for VIPs; for none, all of it. What others have made or changed since stays, and notes tell of it.
// With dry it only reports. After a failure the same call goes on.
func (s *Server) Undo(addrs []netip.Addr, dry bool) (Report, error) {
	var out Report
	err := s.work(dry, func(f *file, r record) error {
		var stay []VIP
		if len(addrs) > 0 {
			stay = r.without(addrs)
		}
		h, err := s.read(r, stay)
		if err != nil {
			return err
		}
		p := planUndo(h, r, stay, addrs)
		// What the VIPs that stay lack is not the matter here.
		p.steps = slices.DeleteFunc(p.steps, func(s Step) bool { return !s.Back })
		out = Report{VIPs: stay, Steps: p.steps, Notes: p.notes}
		for _, a := range addrs {
			if !slices.ContainsFunc(r.VIPs, func(v VIP) bool { return v.Addr == a }) {
				out.Notes = append(out.Notes, fmt.Sprintf("%s is none of the VIPs that this host was prepared for", a))
			}
		}
		if dry {
			return nil
		}
		unchanged := slices.Equal(r.VIPs, stay)
		r.VIPs = stay
		if len(p.steps)+len(p.forget) > 0 || !unchanged {
			if err := s.run(f, &r, p); err != nil {
				return err
			}
		}
		if len(r.VIPs)+len(r.Made) == 0 {
			return f.remove()
		}
		return nil
	})
	return out.tidy(), err
}

// tidy makes empty lists of none, so that JSON has lists.
func (r Report) tidy() Report {
	r.VIPs = append([]VIP{}, r.VIPs...)
	r.Steps = append([]Step{}, r.Steps...)
	r.Problems = append([]Problem{}, r.Problems...)
	r.Notes = append([]string{}, r.Notes...)
	return r
}

// work runs do with the record, and with its file open unless this is a dry run.
func (s *Server) work(dry bool, do func(*file, record) error) (err error) {
	if dry {
		r, err := s.record()
		if err != nil {
			return err
		}
		return do(nil, r)
	}
	f, err := openFile(s.path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	r, err := s.record()
	if err != nil {
		return err
	}
	r.Directory = r.Directory || f.made
	f.made = r.Directory
	return do(f, r)
}

// record is the record of this kernel: what was made in one that ran before is gone.
func (s *Server) record() (record, error) {
	r, err := readRecord(s.path)
	if err != nil {
		return r, err
	}
	id, err := s.kernel.identity()
	if err != nil {
		return r, err
	}
	if r.Kernel != id {
		r.Kernel, r.Made = id, nil
	}
	return r, nil
}

// survey completes VIPs, lays them over those of the record, and reads the host.
func (s *Server) survey(r *record, vips []VIP) (host, []VIP, error) {
	vips = inherit(vips, r.VIPs)
	h, err := s.read(*r, nil)
	if err != nil {
		return h, nil, err
	}
	for i, v := range vips {
		if v, err = v.complete(); err != nil {
			return h, nil, err
		}
		if v.Interface, err = h.choose(v); err != nil {
			return h, nil, err
		}
		vips[i] = v
	}
	all := r.with(vips)
	if len(all) == 0 {
		return h, nil, errors.New("which VIP? This host was prepared for none yet: name one")
	}
	h, err = s.read(*r, all)
	return h, all, err
}

// inherit gives VIPs that name no interface the one that they had before.
func inherit(vips, known []VIP) []VIP {
	out := slices.Clone(vips)
	for i, v := range out {
		j := slices.IndexFunc(known, func(o VIP) bool { return o.Addr == v.Addr })
		if j >= 0 && v.Interface == "" {
			out[i].Interface = known[j].Interface
		}
	}
	return out
}

// read reads what VIPs need and what the record tells of.
func (s *Server) read(r record, vips []VIP) (host, error) {
	paths := sysctlsFor(vips)
	gue := slices.ContainsFunc(vips, func(v VIP) bool { return v.Tunnel == GUE })
	for _, m := range r.Made {
		if m.Kind == KindSysctl {
			paths = append(paths, m.Name)
		}
		gue = gue || m.Kind == KindListener
	}
	slices.Sort(paths)
	return s.kernel.read(slices.Compact(paths), gue)
}

// run takes the steps in their order, each when it is in the record, and ends at the first that fails.
func (s *Server) run(f *file, r *record, p plan) error {
	r.drop(p.forget...)
	if err := f.write(*r); err != nil {
		return err
	}
	for i, step := range p.steps {
		before := *r
		if recorded(step) {
			r.note(step)
			if err := f.write(*r); err != nil {
				return err
			}
		}
		if err := s.kernel.take(step); err != nil {
			err = fmt.Errorf("%s: %w", step.Command(), err)
			if recorded(step) {
				*r = before
				err = errors.Join(err, f.write(*r))
			}
			return err
		}
		p.steps[i].Done = true
		if step.Back {
			r.drop(step.Thing)
			if err := f.write(*r); err != nil {
				return err
			}
		}
	}
	return nil
}

// recorded says that a step makes something that must be taken back by itself: not what goes with a device of ours.
func recorded(s Step) bool {
	if s.Back || s.Kind == KindUp {
		return false
	}
	for name := range kinds {
		if s.Kind == KindSysctl && (s.Name == conf4(name, "rp_filter") || s.Name == conf6(name, "disable_ipv6")) {
			return false
		}
	}
	return true
}

// hints are what tunnels ask of the network, which nothing on this host can change.
func hints(vips []VIP) (out []string) {
	for _, v := range vips {
		if v.Forward == lvs.Tunnel {
			out = append(out, fmt.Sprintf("packets for %s come with %d bytes more around them: unless the network between director and server carries %d bytes, "+
				"have clients told a maximum segment size of %d", v, v.overhead(), 1500+v.overhead(), v.segment()))
		}
	}
	return out
}
