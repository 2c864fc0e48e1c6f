package api

// Code is the stable, machine-readable name of an error: the last part of a problem document's type.
type Code string

// The codes. They are part of the API: a meaning never changes, new ones may appear.
const (
	CodeInvalidRequest Code = "invalid-request"
	CodeInvalidConfig  Code = "invalid-config"
	CodeTooLarge       Code = "too-large"
	CodeForbidden      Code = "forbidden"
	CodeNotFound       Code = "not-found"
	CodeMethod         Code = "method"
	CodeConflict       Code = "conflict"
	CodeNoCluster      Code = "no-cluster"
	CodeMember         Code = "already-member"
	CodeNameTaken      Code = "name-taken"
	CodeNotPossible    Code = "not-possible"
	CodeBadToken       Code = "bad-token"
	CodeNoQuorum       Code = "no-quorum"
	CodeUnreachable    Code = "unreachable"
	CodeTimeout        Code = "timeout"
	CodeInternal       Code = "internal"
)

// typePrefix makes a problem type of a Code.
const typePrefix = "urn:quorate:error:"

// kind is what goes with a code.
type kind struct {
	code    Code
	status  int // the usual one; a malformed request may also be a 400 or 415
	title   string
	meaning string
}

var kinds = []kind{
	{CodeInvalidRequest, 422, "The request is malformed", "`errors` says which part of it, and how"},
	{CodeInvalidConfig, 422, "The configuration has problems", "`problems` lists them; nothing was changed"},
	{CodeTooLarge, 413, "The request is too large", "16 MiB for a configuration, 64 KiB for anything else"},
	{CodeForbidden, 403, "Not allowed this way", "the join token over TCP, or a request that a web browser sends for another site"},
	{CodeNotFound, 404, "Not found", "no such path, VIP, service, server or node"},
	{CodeMethod, 405, "Method not allowed", "`Allow` lists what is"},
	{CodeConflict, 409, "The configuration has changed in between", "`base` is not its current version; plan again"},
	{CodeNoCluster, 409, "The agent is in no cluster", "bootstrap or join first"},
	{CodeMember, 409, "The agent is in a cluster already", "leave first"},
	{CodeNameTaken, 409, "The name belongs to another node", "or the data directory does"},
	{CodeNotPossible, 409, "Not possible now", "the cluster's state is against it; the detail says what"},
	{CodeBadToken, 403, "The token is not valid", "malformed, or of another cluster"},
	{CodeNoQuorum, 503, "The cluster has no quorum", "no majority of the voters answered; try again when enough nodes are back"},
	{CodeUnreachable, 502, "A node does not answer", "the one that was to be joined, or asked"},
	{CodeTimeout, 504, "Not done in time", "it may still be done: look before you ask again"},
	{CodeInternal, 500, "Internal error", "a fault of the agent; its log says more"},
}

func kindOf(c Code) kind {
	for _, k := range kinds {
		if k.code == c {
			return k
		}
	}
	return kind{code: c, status: 500, title: string(c)}
}
