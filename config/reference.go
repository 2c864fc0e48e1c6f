package config

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

//go:generate go test -run TestReferencePage -update .

// Reference is the page docs/reference/config.md in Markdown: every file, block and key, its type, default and meaning. It
// is made from the table that the decoder follows; a test holds the page in the repository against it.
func Reference() []byte {
	var w bytes.Buffer
	w.WriteString(referenceHead)
	w.WriteString("\n## The cluster's configuration\n\n" + clusterFile.doc + "\n")
	for _, b := range clusterFile.blocks {
		referenceBlock(&w, b, "### ")
	}
	w.WriteString("\n## An agent's own settings\n\n" + agentFile.doc + "\n\n")
	referenceKeys(&w, agentFile)
	return w.Bytes()
}

const referenceHead = `<!-- Written by go generate ./config from the table that the decoder follows. Do not edit. -->

# Configuration files

Files are written in [HCL](https://github.com/hashicorp/hcl), or in its JSON form when their name ends in ` + "`.json`" + `:

` + "```hcl" + `
vip "web" {
  address = "192.0.2.10/24"
  prefer  = ["lb1", "lb2"]
}

service "web" {
  vip  = "web"
  port = 80

  check "http" {
    path     = "/healthz"
    interval = "2s"
  }

  server "10.0.0.11:8080" {}
  server "10.0.0.12:8080" {
    weight = 2
  }
}
` + "```" + `

` + "```json" + `
{
  "vip": {"web": {"address": "192.0.2.10/24", "prefer": ["lb1", "lb2"]}},
  "service": {"web": {
    "vip": "web", "port": 80,
    "check": {"http": {"path": "/healthz", "interval": "2s"}},
    "server": {"10.0.0.11:8080": {}, "10.0.0.12:8080": {"weight": 2}}
  }}
}
` + "```" + `

- Comments begin with ` + "`#`" + ` or ` + "`//`" + `, or stand between ` + "`/*`" + ` and ` + "`*/`" + `; in JSON, under the key ` + "`\"//\"`" + `.
- HCL wants each key on a line of its own, but for a block with a single key: ` + "`server \"10.0.0.12:8080\" { weight = 2 }`" + `.
  Several on one line, with blanks between them, are understood as well: ` + "`check \"http\" { path = \"/\"  interval = \"2s\" }`" + `. Other programs
  that read HCL may not take that.
- Values are written out: there are no variables, functions or operators.
- Durations have a unit: ` + "`\"200ms\"`, `\"2s\"`, `\"1m30s\"`" + `.
- Names have 1 to 63 characters of A-Z, a-z, 0-9, dot, dash and underscore; names of nodes have no capitals.
- Where a directory is given instead of a file, all files in it that end in ` + "`.hcl` or `.json`" + ` make one configuration.
- A file is accepted whole or not at all. Faults are reported with file, line, column and cure, as many at once as can be told.
- All files of a configuration together have at most 4 MiB.
`

func referenceBlock(w *bytes.Buffer, b *block, heading string) {
	fmt.Fprintf(w, "\n%s`%s`\n\n%s", heading, b.header(), b.doc)
	if b.refused != "" {
		fmt.Fprintf(w, " Not possible: %s.\n", b.refused)
		return
	}
	if b.once {
		w.WriteString(" At most one.")
	}
	w.WriteString("\n\n")
	referenceKeys(w, b)
	for _, inner := range b.blocks {
		if inner == checkBlock && b == nodeCheckBlock { // it is the longest of all
			fmt.Fprintf(w, "\n#%s`%s`\n\nAs in a `service`; see there.\n", heading, inner.header())
			continue
		}
		referenceBlock(w, inner, "#"+heading)
	}
}

func referenceKeys(w *bytes.Buffer, b *block) {
	w.WriteString("| key | value | default | meaning |\n|---|---|---|---|\n")
	for _, k := range b.keys {
		fmt.Fprintf(w, "| `%s` | %s | %s | %s |\n", k.name, referenceValue(k), referenceDefault(k), referenceDoc(b, k))
	}
}

func referenceValue(k key) string {
	switch {
	case k.values != nil:
		return "`\"" + strings.Join(k.values, "\"`, `\"") + "\"`"
	case k.span != "":
		return k.kind + ", " + k.span
	default:
		return k.kind
	}
}

func referenceDefault(k key) string {
	switch {
	case len(k.unless) > 0:
		return "required without `" + strings.Join(k.unless, "`, `") + "`"
	case k.required:
		return "required"
	case k.fallback == cty.NilVal:
		return ""
	default:
		out := "`" + literalText(k.fallback) + "`"
		for _, x := range k.byLabel {
			out += "; with `" + strings.Join(x.labels, "`, `") + "`: `" + literalText(x.fallback) + "`"
		}
		return out
	}
}

func referenceDoc(b *block, k key) string {
	doc := k.doc
	if k.only != nil {
		doc = fmt.Sprintf("Only with `%s`. ", b.having(k)) + doc
	}
	return strings.ReplaceAll(doc, "|", "\\|")
}
