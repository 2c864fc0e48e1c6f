// Package notify tells others what happens: by webhook, mail, script or named pipe.
//
// It decides how a notification looks and when a failed one is tried again. It never decides what there is to tell nor remembers what was told: that is
// agreed (fsm.State.NextTask, fsm.Delivered), so that a new leader goes on where the old one was. What a node tells of itself is compared with what it
// told last ([Scene]), and kept on its own disk.
//
//	timeline ─► fsm.NextTask ─► Courier (leader, one worker for each notifier) ─► Channel ─► fsm.Delivered ─► log
//	actuator ─► Scene ─► Teller (each node, one worker for each notifier) ─► script or pipe ─► file
//
// What the leader tells comes at least once and in order; whoever gets an event twice knows it by its id. The two never share a notifier. See DESIGN.md.
package notify
