// Package keepalived makes a configuration of keepalived.conf: of one director's, or of those of all directors of a pair or more.
//
// It reads the language as keepalived does, to 2.4.3: includes with globs, lines for one director (@id), definitions, sequences, quotes, comments and the layouts
// of braces that keepalived takes. It knows each block and keyword, the old spellings as well. What it makes of a directive is always said: every directive of the
// input ends in a [Finding] of its own, with its class, and one for which the package forgot a rule ends as [Unsupported] by itself; what is wrong between several is
// said in further ones. It applies nothing, asks no host and starts no program; files come from an [io/fs.FS].
//
// A vrrp_instance becomes VIPs, in one group if they are several, and a virtual router, by which the cluster stands beside the directors while they are replaced.
//
//	files ─► reader (includes, @, $, ~SEQ) ─► lines ─► parser, by the table of keywords ─► directives ─► mapping, node by node ─► merged ─► fsm.Config
//	            │                                          │                                    │              contradictions
//	            └─ Findings: mistakes in the source ◄──────┴─ unknown, wrong number of values ◄─┴─ mapped, changed meaning, unsupported, not needed
//
// Its rules are facts about keepalived's behaviour; none of its text is taken over.
package keepalived
