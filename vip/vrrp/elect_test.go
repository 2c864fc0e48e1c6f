package vrrp

import "testing"

// TestElect: a cluster without a quorum lets its routers elect the Active one, until it speaks again.
func TestElect(t *testing.T) {
	in := step{at(Appoint, sec), "send 150; enter active: appointed", Active, sec}
	elect := func(p Priority, e Event) Event {
		e.Kind, e.Priority = Elect, p
		return e
	}
	const (
		skew100 = 156 * sec / 256
		down100 = 3*sec + skew100
		// of a fellow whose interval is 100 ms
		heard100 = 300*ms + 156*100*ms/256
	)
	fellow := func(e Event) Event { return from(e, "192.168.1.2", Fellow) }
	off := step{elect(100, at(Elect, sec)), "", Backup, down100 - sec}
	on := step{at(Tick, down100), "send 100; enter active: active-down", Active, sec}
	play(t, []scene{
		{"elect", "the time since the last advert counts, and its priority waits longer", appointed, []step{startup, off, {at(Tick, down150), "", Backup, down100 - down150}, on}},
		{"elect", "an Active Router goes on, by the other priority", appointed, []step{
			startup, in, {elect(100, at(Elect, 1500*ms)), "", Active, sec / 2}, {at(Tick, 2*sec), "send 100", Active, sec}}},
		{"elect", "told again it is a new priority only", appointed, []step{
			startup, off, on, {elect(50, at(Elect, 4*sec)), "", Active, down100 - 3*sec}, {at(Tick, down100+sec), "send 50", Active, sec}}},
		{"elect", "gives way to a fellow of higher priority, without a word", appointed, []step{
			startup, off, on, {fellow(hears(down100+ms, 150)), "enter backup: higher-priority 192.168.1.2", Backup, heard100}}},
		{"elect", "answers a fellow of lower priority", appointed, []step{
			startup, off, on, {fellow(hears(down100+100*ms, 99)), "send 100; announce: lower-priority", Active, 900 * ms}}},
		{"elect", "leaves a fellow alone that speaks, whatever its priority", appointed, []step{
			startup, off, {fellow(hears(2*sec, 1)), "", Backup, heard100}, {at(Tick, 2*sec+heard100), "send 100; enter active: active-down", Active, sec}}},
		{"elect", "a listed router is pre-empted as ever", appointed, []step{
			startup, off, {hears(2*sec, 99), "", Backup, down100 - 2*sec}, {at(Tick, down100), "send 100; enter active: lower-priority", Active, sec}}},
		{"elect", "a listed router with a better claim has the addresses; there is nobody to ask", appointed, []step{
			startup, off, on, {hears(4*sec, 101), "enter backup: higher-priority 192.168.1.10", Backup, heard100}}},
		{"elect", "no priority that a router of a cluster cannot have", appointed, []step{
			startup, {elect(Owner, at(Elect, 0)), "", Backup, down150}, {elect(0, at(Elect, 0)), "", Backup, down150}, {at(Tick, down150), "vacant: active-down", Backup, down150}}},
		{"elect", "is nothing to a router that is elected anyway", nil, []step{
			startup, {elect(100, at(Elect, 0)), "", Backup, down150}, elected, {elect(100, at(Elect, down150)), "", Active, sec}, {at(Abstain, down150), "", Active, sec}}},
		{"abstain", "Active: is silent, and waits a whole Active_Down_Interval", appointed, []step{
			startup, off, on, {at(Abstain, 4*sec), "enter backup: abstained", Backup, down100}, {at(Tick, 4*sec+down100), "send 100; enter active: active-down", Active, sec}}},
		{"abstain", "Backup: waits anew", appointed, []step{startup, off, {at(Abstain, 2*sec), "", Backup, down100}}},
		{"abstain", "is nothing while the cluster decides", appointed, []step{
			startup, {at(Abstain, sec), "", Backup, down150 - sec}, in, {at(Abstain, 1500*ms), "", Active, sec / 2}}},
		{"quorum", "it is appointed: it goes on, and says so at once by the cluster's priority", appointed, []step{
			startup, off, on, {at(Appoint, down100+100*ms), "send 150", Active, sec}, {fellow(hears(4*sec, 200)), "alarm: fellow 192.168.1.2 200", Active, down100 + 100*ms - 3*sec}}},
		{"quorum", "it is appointed out of Backup", appointed, []step{startup, off, {at(Appoint, 2*sec), "send 150; enter active: appointed", Active, sec}}},
		{"quorum", "another one has the addresses: it is silent", appointed, []step{
			startup, off, on, {at(HandOver, 4*sec), "enter backup: handed-over", Backup, down150}, {at(Tick, 4*sec+down150), "vacant: active-down", Backup, down150}}},
		{"quorum", "another one has the addresses: it was silent, and asks again", appointed, []step{
			startup, off, {at(HandOver, 2*sec), "", Backup, down150 - 2*sec}, {at(Tick, down150), "vacant: active-down", Backup, down150}}},
		{"end", "Release says priority 0", appointed, []step{startup, off, on, {at(Release, 4*sec), "enter backup: let-go; send 0", Backup, down150}}},
		{"end", "Shutdown is silent, and what starts again is the cluster's", appointed, []step{
			startup, off, on, {at(Shutdown, 4*sec), "enter initialize: stopped", Initialize, 0}, {at(Startup, 4*sec), "enter backup: started", Backup, down150},
			{at(Tick, 4*sec+down150), "vacant: active-down", Backup, down150}}},
	})
}
