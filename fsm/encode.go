package fsm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// MaxCommandBytes bounds an encoded command: a configuration of some 65,000 servers fits.
const MaxCommandBytes = 16 << 20

// Kind names what the command does, as its JSON key does: "decide", "configure" …; "empty" for the empty entry and
// "several" for a command that has more than one body and is refused.
func (c Command) Kind() string {
	kind := "empty"
	for _, b := range []struct {
		set  bool
		name string
	}{
		{c.Init != nil, "init"}, {c.PutNode != nil, "put_node"}, {c.RemoveNode != nil, "remove_node"},
		{c.SetFacts != nil, "set_facts"}, {c.SetDrain != nil, "set_drain"}, {c.SetGrantors != nil, "set_grantors"},
		{c.SetSchema != nil, "set_schema"}, {c.Configure != nil, "configure"}, {c.SetAdmin != nil, "set_admin"},
		{c.SetHealth != nil, "set_health"}, {c.Decide != nil, "decide"}, {c.Fenced != nil, "fenced"},
		{c.Raise != nil, "raise"}, {c.Record != nil, "record"}, {c.HoldOff != nil, "hold_off"},
		{c.EndDrain != nil, "end_drain"}, {c.Delivered != nil, "delivered"},
		{c.SetNodeHealth != nil, "set_node_health"}, {c.SetPaths != nil, "set_paths"}, {c.SetForeign != nil, "set_foreign"}, {c.SetFresh != nil, "set_fresh"},
	} {
		switch {
		case !b.set:
		case kind == "empty":
			kind = b.name
		default:
			return "several"
		}
	}
	return kind
}

// Encode is the form of a command in the log. It refuses what Decode would not read, like an address that is none, and what the
// command's schema does not have: once committed, such an entry would stop every replica, or the older ones. What a node says of itself is
// shortened to what the schema has, as Apply does: nodes say all that they know, whoever leads.
func Encode(c Command) ([]byte, error) {
	c = c.plain()
	b, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode %s command: %w", c.Kind(), err)
	}
	if len(b) > MaxCommandBytes {
		return nil, fmt.Errorf("encode %s command: %d bytes are more than the %d of an entry; split it", c.Kind(), len(b), MaxCommandBytes)
	}
	if need := c.needs(); need > max(schemaFirst, c.Schema) {
		return nil, fmt.Errorf("encode %s command: %w", c.Kind(), tooNew(need, c.Schema))
	}
	if _, err := Decode(b); err != nil {
		return nil, fmt.Errorf("encode %s command: %w", c.Kind(), err)
	}
	return b, nil
}

// plain is the command with the facts of nodes in the words of its schema.
func (c Command) plain() Command {
	at := max(schemaFirst, c.Schema)
	if c.Init != nil {
		init := *c.Init
		init.Node.Facts, init.Node.Checks, init.Node.Paths = init.Node.Facts.upTo(at), nil, nil // those are not for a node to say so
		c.Init = &init
	}
	if c.PutNode != nil {
		put := *c.PutNode
		put.Node.Facts, put.Node.Checks, put.Node.Paths = put.Node.Facts.upTo(at), nil, nil
		c.PutNode = &put
	}
	if c.SetFacts != nil {
		set := *c.SetFacts
		set.Facts = set.Facts.upTo(at)
		c.SetFacts = &set
	}
	return c
}

// tooNew says that a command needs a newer schema than it may use.
func tooNew(need, have Schema) error {
	return fmt.Errorf("this needs %w %d and the cluster is at %d; upgrade quorate on all members (`quorate members` shows their versions)",
		ErrSchema, need, max(schemaFirst, have))
}

// Decode reads what Encode wrote. It is strict: a field that this build does not know means that a newer one wrote the
// command, and a replica that left the field out would hold another state than the others. A replica that cannot decode a
// committed entry has to stop, not to go on without it.
func Decode(b []byte) (Command, error) {
	var c Command
	if len(b) > MaxCommandBytes {
		return c, fmt.Errorf("decode command: %d bytes are more than the %d of an entry", len(b), MaxCommandBytes)
	}
	if err := strictJSON(b, &c); err != nil {
		return Command{}, fmt.Errorf("decode command: %w", err)
	}
	if c.Schema > MaxSchema {
		return Command{}, fmt.Errorf("decode command: %w %d is newer than this build understands (%d); upgrade quorate on this node",
			ErrSchema, c.Schema, MaxSchema)
	}
	return c, nil
}

// strictJSON decodes exactly one JSON value into v and refuses fields that v has not.
func strictJSON(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more after the end")
	}
	return nil
}
