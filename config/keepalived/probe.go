package keepalived

import (
	"fmt"
	"strings"

	"quorate/fsm"
)

// miscCheck reads a MISC_CHECK.
func miscCheck(x *built, _, d *directive, c *fsm.Check) string {
	p := d.one("misc_path")
	if p == nil {
		return "it has no misc_path"
	}
	command, wrong := commandOf(p.args)
	if wrong != "" {
		return wrong
	}
	if !strings.HasPrefix(command[0], "/") {
		return fmt.Sprintf("%q has no absolute path, and there is no shell to look for it", shown(command[0], 60))
	}
	c.Script.Command = command
	c.Script.User = x.box.scriptUser(d, p)
	p.mapped(`check "script": command`)
	if y := d.one("misc_dynamic"); y != nil {
		c.Script.DynamicWeight = y.yes()
		y.mapped("check: dynamic_weight")
	}
	return ""
}

func smtpCheck(_ *built, _, d *directive, c *fsm.Check) string {
	if h := d.one("helo_name"); h != nil {
		c.SMTP.Helo = h.arg(0)
		h.mapped("check: helo")
	}
	return ""
}

func dnsCheck(_ *built, _, d *directive, c *fsm.Check) string {
	if t := d.one("type"); t != nil {
		c.DNS.Record = t.arg(0)
		if c.DNS.Record == "SOA" {
			c.DNS.Record = ""
		}
		t.mapped("check: record")
	}
	if n := d.one("name"); n != nil {
		c.DNS.Name = n.arg(0)
		if c.DNS.Name == "." {
			c.DNS.Name = ""
		}
		n.mapped("check: name")
	}
	return ""
}

func udpCheck(_ *built, _, d *directive, c *fsm.Check) string {
	if p := d.one("payload"); p != nil {
		c.UDP.Payload = strings.ReplaceAll(p.arg(0), " ", "")
		p.mapped("check: payload")
	} else {
		d.settle(Changed, "it has no payload, and an empty datagram is sent in place of bytes by chance", "")
	}
	if r := d.one("require_reply"); r != nil {
		c.UDP.RequireReply, c.UDP.Reply = true, strings.ToUpper(strings.ReplaceAll(r.arg(0), " ", ""))
		r.mapped("check: require_reply, reply")
	}
	if n := d.one("min_reply_length"); n != nil {
		c.UDP.MinReply = int(n.number(0))
		n.mapped("check: min_reply")
	}
	if n := d.one("max_reply_length"); n != nil {
		c.UDP.MaxReply = int(n.number(0))
		n.mapped("check: max_reply")
	}
	return ""
}
