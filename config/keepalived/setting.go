package keepalived

import (
	"fmt"
	"slices"
	"time"

	"quorate/fsm"
)

// settings reads what is for the cluster as a whole. What the first director says counts.
func (im *importer) settings() {
	first := map[string]*directive{}
	agree := func(d *directive) bool {
		have := first[d.word]
		if have == nil {
			first[d.word] = d
			return true
		}
		if !slices.Equal(have.args, d.args) {
			im.contradict(d, d.line, fmt.Sprintf("%s has another one (%s), which was taken", im.nodeOf(have), have.at))
		}
		return false
	}
	for _, b := range im.boxes {
		if d := b.global.one("lvs_sync_daemon"); d != nil {
			sync, wrong := syncOf(d)
			switch {
			case wrong != "":
				d.settle(Mistake, wrong, "correct it, then import again")
			case agree(d):
				im.config.Settings.Sync = sync
				im.made("cluster.sync", d, func() { im.config.Settings.Sync = fsm.Sync{} })
			}
			d.settle(Changed, `sync { transport = "multicast" }: the kernels do it themselves, in the clear; all directors send and receive all the time`,
				"leave the block sync out when no keepalived is left: the agents carry it then, sealed")
		}
		if d := b.global.one("lvs_timeouts"); d != nil {
			t, wrong := timeoutsOf(d)
			switch {
			case wrong != "":
				d.settle(Mistake, wrong, "write it like tcp 7200 tcpfin 30 udp 60, then import again")
			case agree(d):
				im.config.Settings.Timeouts = t
				im.made("cluster.ipvs_timeouts", d, func() { im.config.Settings.Timeouts = fsm.Timeouts{} })
			}
			d.mapped("ipvs_timeouts")
		}
		if d := b.global.one("nftables_ipvs_start_fwmark"); d != nil {
			d.settle(Ignored, "services with several addresses get marks of their own", "see fwmark_base, if other rules use marks")
		}
		if d := b.global.one("script_user"); d != nil && d.out == nil {
			d.settle(Ignored, "no script was taken over", "")
		}
		if d := b.global.one("smtp_connect_timeout"); d != nil && d.out == nil {
			d.settle(Ignored, "no mail is sent", "")
		}
	}
}

// syncOf reads lvs_sync_daemon INTERFACE [[inst] INSTANCE] [id N] [maxlen N] [port N] [ttl N] [group ADDRESS].
func syncOf(d *directive) (s fsm.Sync, wrong string) {
	s.Transport, s.Interface = fsm.SyncMulticast, d.arg(0)
	for i := 1; i < len(d.args); i++ {
		word, v := d.args[i], d.arg(i+1)
		number := func(low, high int64, to *int) bool {
			if !number(low, high).ok(v) {
				return false
			}
			*to = int((&directive{args: []string{v}}).number(0))
			return true
		}
		ok := true
		switch word {
		case "inst":
		case "id":
			if ok = number(0, 255, &s.SyncID); s.SyncID == 0 {
				d.settle(Changed, "sync_id cannot be 0, and is left to its default", "")
			}
		case "maxlen":
			if ok = number(1, 65507, &s.MaxLen); s.MaxLen != 0 {
				s.MaxLen = min(max(s.MaxLen, fsm.MinSyncLen), fsm.MaxSyncLen)
			}
		case "port":
			ok = number(1, 65535, &s.Port)
		case "ttl":
			ok = number(1, 255, &s.TTL)
		case "group":
			s.Group = v
		default: // the instance, as versions before 2.0 had it
			if i > 2 {
				return s, fmt.Sprintf("keepalived knows no option %q of it", shown(word, 40))
			}
			if i == 2 && fmtNumber(word) {
				ok = false
			}
			continue
		}
		if !ok {
			return s, fmt.Sprintf("%s %q is no number that it can be", word, shown(v, 40))
		}
		i++
	}
	return s, ""
}

func fmtNumber(s string) bool { return number(0, 255).ok(s) }

// timeoutsOf reads lvs_timeouts [tcp N] [tcpfin N] [udp N].
func timeoutsOf(d *directive) (t fsm.Timeouts, wrong string) {
	for i := 0; i < len(d.args); i += 2 {
		v := d.arg(i + 1)
		if !number(0, 31*86400).ok(v) {
			return t, fmt.Sprintf("%s has no number of seconds", shown(d.args[i], 40))
		}
		n := time.Duration((&directive{args: []string{v}}).number(0)) * time.Second
		switch d.args[i] {
		case "tcp":
			t.TCP = n
		case "tcpfin":
			t.TCPFin = n
		case "udp":
			t.UDP = n
		default:
			return t, fmt.Sprintf("keepalived knows no %q here", shown(d.args[i], 40))
		}
	}
	return t, ""
}
