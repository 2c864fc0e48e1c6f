// Package ipvsadm makes a configuration of what `ipvsadm -Sn` or ipvsadm-save has written.
//
// It decides what each line means, and it is strict: a line that cannot be taken over, or of which a part would be lost, is reported with its place and the
// reason, and leaves nothing behind; the other lines make the configuration. It applies nothing. What no line says is left to defaults, and [Import.Notes] names it.
//
//	text ─► Parse (line by line) ─► mapping (services, servers, a VIP for each address) ─► fsm.Config.Validate ─► Import
package ipvsadm
