package fsm

import "errors"

// Why a whole command is refused. Result.Err wraps one of them, or is a Problems (which matches ErrInvalid), with a text
// that names the object.
var (
	ErrNotInit    = errors.New("the cluster is not formed yet")
	ErrInitDone   = errors.New("the cluster is already formed")
	ErrNameTaken  = errors.New("the name belongs to another data directory")
	ErrStoreTaken = errors.New("the data directory belongs to another name")
	ErrNodeOwns   = errors.New("the node still owns addresses")
	ErrNodeGrants = errors.New("the node is still a grantor")
	ErrConflict   = errors.New("in conflict with an earlier change")
	ErrStale      = errors.New("made for an earlier state")
	ErrUnknown    = errors.New("not known")
	ErrSchema     = errors.New("schema version")
	ErrInvalid    = errors.New("not valid")
)
