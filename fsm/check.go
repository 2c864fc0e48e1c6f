package fsm

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// CheckType names a kind of probe.
type CheckType string

// The kinds of probe.
const (
	CheckTCP   CheckType = "tcp"   // connect
	CheckHTTP  CheckType = "http"  // GET, status in range
	CheckHTTPS CheckType = "https" // the same over TLS

	CheckGRPC     CheckType = "grpc"     // gRPC's health protocol
	CheckSMTP     CheckType = "smtp"     // greeting, EHLO, QUIT
	CheckDNS      CheckType = "dns"      // a question, its rcode and answer
	CheckUDP      CheckType = "udp"      // a datagram, and its reply
	CheckPing     CheckType = "ping"     // ICMP echo
	CheckAgent    CheckType = "agent"    // HAProxy's agent-check protocol
	CheckMySQL    CheckType = "mysql"    // handshake without credentials
	CheckPostgres CheckType = "postgres" // begin of a login without credentials
	CheckRedis    CheckType = "redis"    // PING
	CheckBFD      CheckType = "bfd"      // a session of BFD

	CheckScript    CheckType = "script"    // a program's exit code
	CheckFile      CheckType = "file"      // what a file says
	CheckProcess   CheckType = "process"   // a program runs; of nodes alone
	CheckInterface CheckType = "interface" // a link has a carrier; of nodes alone
)

// Check says how the servers of a service are probed. What only some types have is in a part of its own, which is there for these types alone.
type Check struct {
	Type     CheckType     `json:"type"`
	Port     uint16        `json:"port,omitempty"` // 0 = the server's
	Interval time.Duration `json:"interval"`
	Timeout  time.Duration `json:"timeout"`
	Rise     int           `json:"rise"` // successes in a row until up
	Fall     int           `json:"fall"` // failures in a row until down
	HTTP     *HTTPCheck    `json:"http,omitempty"`
	TLS      *TLSCheck     `json:"tls,omitempty"` // since schema 6
	TCP      *TCPCheck     `json:"tcp,omitempty"` // since schema 6

	GRPC     *GRPCCheck     `json:"grpc,omitempty"`
	SMTP     *SMTPCheck     `json:"smtp,omitempty"`
	DNS      *DNSCheck      `json:"dns,omitempty"`
	UDP      *UDPCheck      `json:"udp,omitempty"`
	Agent    *AgentCheck    `json:"agent,omitempty"`
	Postgres *PostgresCheck `json:"postgres,omitempty"`
	Redis    *RedisCheck    `json:"redis,omitempty"`
	BFD      *BFDCheck      `json:"bfd,omitempty"`

	// Through is how the probe comes to the server; "" = straight to its address. Since schema 5.
	Through Through `json:"through,omitempty"`

	// What follows is since schema 6.

	FastInterval time.Duration `json:"fast_interval,omitempty"` // while the results are not those of the verdict; 0 = Interval
	Address      netip.Addr    `json:"address,omitzero"`        // asked in place of the server's
	Source       netip.Addr    `json:"source,omitzero"`         // of the probe's packets
	Interface    string        `json:"interface,omitempty"`     // by which they leave
	FwMark       uint32        `json:"fwmark,omitempty"`        // that they bear

	Script  *ScriptCheck  `json:"script,omitempty"`
	File    *FileCheck    `json:"file,omitempty"`
	Process *ProcessCheck `json:"process,omitempty"`
	Link    *LinkCheck    `json:"link,omitempty"`
}

// Through names what a probe comes through.
type Through string

// ThroughForwarding is a connection to the VIP that reaches this one server by its own forwarding method, as those of clients do: a server that lacks the
// VIP or the tunnel does not answer. Directors that do not have the VIP probe so, see ProbesThrough.
const ThroughForwarding Through = "forwarding"

// checkPart is what some types of checks have besides that which all have.
type checkPart interface {
	validate(ps *Problems, object string)
	fields(f fields)
}

// part is one line for each part of a Check.
type part struct {
	name  string      // for a person: "the settings of http"
	types []CheckType // that have it
	since Schema
	make  func(*Check)           // gives a check an empty part, if it has none
	of    func(*Check) checkPart // nil when the check has none
	spare []CheckType            // of types, those that may do without it
}

// checkKind is one line for each type of check.
type checkKind struct {
	Type  CheckType
	since Schema
}

var checkKinds = []checkKind{
	{CheckTCP, schemaFirst},
	{CheckHTTP, schemaFirst},
	{CheckHTTPS, schemaHealth},
	{CheckGRPC, schemaHealth},
	{CheckSMTP, schemaHealth},
	{CheckDNS, schemaHealth},
	{CheckUDP, schemaHealth},
	{CheckPing, schemaHealth},
	{CheckAgent, schemaHealth},
	{CheckMySQL, schemaHealth},
	{CheckPostgres, schemaHealth},
	{CheckRedis, schemaHealth},
	{CheckBFD, schemaHealth},

	{CheckScript, schemaHealth},
	{CheckFile, schemaHealth},
	{CheckProcess, schemaHealth},
	{CheckInterface, schemaHealth},
}

var checkParts = []part{
	{"http", []CheckType{CheckHTTP, CheckHTTPS}, schemaFirst, func(c *Check) { put(&c.HTTP) }, func(c *Check) checkPart { return have(c.HTTP) }, nil},
	{"tls", slices.Concat(tlsAlways, tlsChoice), schemaHealth, func(c *Check) { put(&c.TLS) }, func(c *Check) checkPart { return have(c.TLS) }, []CheckType{CheckTCP}},
	{"tcp", []CheckType{CheckTCP}, schemaHealth, func(c *Check) { put(&c.TCP) }, func(c *Check) checkPart { return have(c.TCP) }, []CheckType{CheckTCP}},
	{"grpc", []CheckType{CheckGRPC}, schemaHealth, func(c *Check) { put(&c.GRPC) }, func(c *Check) checkPart { return have(c.GRPC) }, nil},
	{"smtp", []CheckType{CheckSMTP}, schemaHealth, func(c *Check) { put(&c.SMTP) }, func(c *Check) checkPart { return have(c.SMTP) }, nil},
	{"dns", []CheckType{CheckDNS}, schemaHealth, func(c *Check) { put(&c.DNS) }, func(c *Check) checkPart { return have(c.DNS) }, nil},
	{"udp", []CheckType{CheckUDP}, schemaHealth, func(c *Check) { put(&c.UDP) }, func(c *Check) checkPart { return have(c.UDP) }, nil},
	{"agent", []CheckType{CheckAgent}, schemaHealth, func(c *Check) { put(&c.Agent) }, func(c *Check) checkPart { return have(c.Agent) }, nil},
	{"postgres", []CheckType{CheckPostgres}, schemaHealth, func(c *Check) { put(&c.Postgres) }, func(c *Check) checkPart { return have(c.Postgres) }, nil},
	{"redis", []CheckType{CheckRedis}, schemaHealth, func(c *Check) { put(&c.Redis) }, func(c *Check) checkPart { return have(c.Redis) }, nil},
	{"bfd", []CheckType{CheckBFD}, schemaHealth, func(c *Check) { put(&c.BFD) }, func(c *Check) checkPart { return have(c.BFD) }, nil},
	{"script", []CheckType{CheckScript}, schemaHealth, func(c *Check) { put(&c.Script) }, func(c *Check) checkPart { return have(c.Script) }, nil},
	{"file", []CheckType{CheckFile}, schemaHealth, func(c *Check) { put(&c.File) }, func(c *Check) checkPart { return have(c.File) }, nil},
	{"process", []CheckType{CheckProcess}, schemaHealth, func(c *Check) { put(&c.Process) }, func(c *Check) checkPart { return have(c.Process) }, nil},
	{"interface", []CheckType{CheckInterface}, schemaHealth, func(c *Check) { put(&c.Link) }, func(c *Check) checkPart { return have(c.Link) }, nil},
}

// CheckTypes are all types of checks, as a configuration names them.
func CheckTypes() []string {
	out := make([]string, len(checkKinds))
	for i, k := range checkKinds {
		out[i] = string(k.Type)
	}
	return out
}

// NewCheck is a check of the type with the parts that the type has, all empty; see Spared.
func NewCheck(t CheckType) Check {
	c := Check{Type: t}
	for _, p := range checkParts {
		if slices.Contains(p.types, t) {
			p.make(&c)
		}
	}
	return c
}

// Whole is the check with all parts that there are, so that any may be read; those that it does not have are empty.
func (c Check) Whole() Check {
	for _, p := range checkParts {
		p.make(&c)
	}
	return c
}

// put makes a part that is not there.
func put[T any](p **T) {
	if *p == nil {
		*p = new(T)
	}
}

// have is the part, or a nil interface.
func have[T any, P interface {
	*T
	checkPart
}](p P) checkPart {
	if p == nil {
		return nil
	}
	return p
}

// needs is the schema that has all that the check says.
func (c Check) needs() Schema {
	need := schemaFirst
	if c.Through != "" {
		need = schemaLVS
	}
	if c.FastInterval != 0 || len(c.way()) > 0 {
		need = schemaHealth
	}
	for _, k := range checkKinds {
		if k.Type == c.Type {
			need = max(need, k.since)
		}
	}
	for _, p := range checkParts {
		part := p.of(&c)
		if part != nil {
			need = max(need, p.since)
		}
		if grown, ok := part.(interface{ needs() Schema }); ok { // one that has more than it had once
			need = max(need, grown.needs())
		}
	}
	return need
}

func (c Check) validate(ps *Problems, object string) {
	oneOf(ps, object, "type", string(c.Type), CheckTypes()...)
	c.validatePort(ps, object)
	c.validateRhythm(ps, object)
	inRange(ps, object, "rise", c.Rise, 1, 100)
	inRange(ps, object, "fall", c.Fall, 1, 100)
	for _, p := range checkParts {
		switch part, has := p.of(&c), slices.Contains(p.types, c.Type); {
		case part == nil && has && !slices.Contains(p.spare, c.Type):
			ps.add(object, "type", string(c.Type), "it needs the settings of "+p.name, "add them")
		case part != nil && !has:
			ps.add(object, "type", string(c.Type), "it has no settings of "+p.name, "leave them out, or use another type")
		case part != nil:
			part.validate(ps, object)
		}
	}
	c.validateTLS(ps, object)
	c.validateHalfOpen(ps, object)
	c.validateSession(ps, object)
}

// unaskable says what of the check no probe could ask, see Config.Validate.
func (c Check) unaskable(ps *Problems, object string) {
	if c.HTTP != nil {
		c.HTTP.unaskable(ps, object)
	}
	if c.TCP != nil {
		c.TCP.unaskable(ps, object)
	}
}

// warn says what the check has been told and does not prove.
func (c Check) warn(ps *Problems, object string) {
	if c.TLS != nil {
		c.TLS.warn(ps, object)
	}
}

func (c Check) fields(f fields) {
	f.set("type", string(c.Type))
	f.count("port", int(c.Port))
	if c.Type != CheckBFD {
		f.set("interval", c.Interval.String())
		f.span("fast_interval", c.FastInterval)
		f.set("timeout", c.Timeout.String())
		f.set("rise", strconv.Itoa(c.Rise))
		f.set("fall", strconv.Itoa(c.Fall))
	}
	f.set("through", string(c.Through))
	maps.Copy(f, c.way())
	for _, p := range checkParts {
		if part := p.of(&c); part != nil {
			part.fields(f)
		}
	}
}

// plainText reports whether s is printable ASCII.
func plainText(s string) bool {
	return !slices.ContainsFunc([]byte(s), func(b byte) bool { return b < 0x20 || b > 0x7e })
}
