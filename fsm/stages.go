package fsm

// Stages says when a VIP that changed hands came how far: the time since the last word that was heard of its earlier owner, or, in a
// planned move, since the entry that asked for its release. In microseconds; 0 = it is not known, or there was no such stage.
//
// Each time is a duration by one node's clock. Where the stages of several nodes are put together, the time at which each of them
// applied the entry is taken for the same: it differs by what a message takes, a fraction of a millisecond in a LAN.
type Stages struct {
	Suspect   int64 `json:"suspect_us,omitempty"`   // a majority of the grantors suspects the owner
	Promised  int64 `json:"promised_us,omitempty"`  // a majority has promised to grant it nothing more, and its lease has ended
	Committed int64 `json:"committed_us,omitempty"` // the next owner is agreed
	Applied   int64 `json:"applied_us,omitempty"`   // its kernel has the address
	Announced int64 `json:"announced_us,omitempty"` // the neighbours are told
	Verified  int64 `json:"verified_us,omitempty"`  // another node asked on the wire, and the next owner answered
}

// HasStages reports whether events may have stages: whether every member can read them.
func (s *State) HasStages() bool { return s.Schema >= schemaStages }
