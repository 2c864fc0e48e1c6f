package connsync

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"quorate/lvs/conntrack"
	"quorate/lvs/ipvs"
)

// What a kernel 6.1 sent on lo for two connections through nat, one ESTABLISHED and one in FIN_WAIT.
const kernelMessage = "0051005002010000" +
	"0006002400000000000189be00501f9000000000000003 84c0000264c000020a0a09000b" +
	"0006002400000100000489c600501f900000000000000078c0000264c000020a0a09000c"

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func conn4(client uint16) Conn {
	return Conn{Protocol: 6, Client: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.100"), client), Virtual: netip.MustParseAddrPort("192.0.2.10:80"),
		Destination: netip.MustParseAddrPort("10.9.0.11:8080"), State: stateEstablished, Timeout: 900, Options: []byte{}}
}

func TestDecodeMessage(t *testing.T) {
	m, err := DecodeMessage(unhex(t, kernelMessage))
	if err != nil {
		t.Fatal(err)
	}
	first, second := conn4(0x89be), conn4(0x89c6)
	second.Flags, second.State, second.Timeout = flagInactive, stateFinWait, 120
	second.Destination = netip.MustParseAddrPort("10.9.0.12:8080")
	if want := (Message{SyncID: 0x51, Conns: []Conn{first, second}}); !reflect.DeepEqual(m, want) {
		t.Errorf("got  %+v\nwant %+v", m, want)
	}
	if b := AppendMessage(nil, m); !bytes.Equal(b, unhex(t, kernelMessage)) {
		t.Errorf("encoded again: %x", b)
	}
}

// TestMessageOptions: connections of both families, with options whose length leaves a gap before the next one.
func TestMessageOptions(t *testing.T) {
	sip := conn4(5060)
	sip.Protocol, sip.Flags = 17, flagTemplate
	sip.Options = append([]byte{optionData, 3, 'a', '@', 'b', optionName, 3}, "sip"...)
	v6 := Conn{Protocol: 6, Client: netip.MustParseAddrPort("[2001:db8::1]:1"), Virtual: netip.MustParseAddrPort("[2001:db8::2]:80"),
		Destination: netip.MustParseAddrPort("[fd00::1]:80"), State: stateEstablished, Options: append([]byte{optionSequence, sequenceSize}, make([]byte, sequenceSize)...)}
	want := Message{SyncID: 1, Conns: []Conn{sip, v6, conn4(1)}}
	b := AppendMessage([]byte("head"), want)[4:]
	got, err := DecodeMessage(b)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestDecodeMessageRefuses(t *testing.T) {
	good := unhex(t, kernelMessage)
	edit := func(at int, to ...byte) []byte {
		b := bytes.Clone(good)
		copy(b[at:], to)
		return b
	}
	for name, b := range map[string][]byte{
		"empty": nil, "header alone": good[:7], "cut off": good[:79], "longer than it says": append(bytes.Clone(good), 0),
		"version 0": edit(5, 0), "first byte": edit(0, 1), "spare": edit(6, 1), "more connections": edit(4, 3), "fewer connections": edit(4, 1),
		"type": edit(8, 2), "version of a connection": edit(10, 0x10), "size of a connection": edit(10, 0, 35), "longer connection": edit(10, 0, 0xff),
		"state": edit(16, 1), "too long": make([]byte, MaxMessage+1),
	} {
		if m, err := DecodeMessage(b); !errors.Is(err, ErrMessage) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	for name, options := range map[string][]byte{
		"unknown": {4, 1, 0}, "none": {0, 1, 0}, "cut off": {optionData}, "empty": {optionData, 0}, "short sequence": {optionSequence, 2, 0, 0},
		"data without name": {optionData, 1, 0}, "name without data": {optionName, 1, 0}, "twice": {optionName, 1, 0, optionName, 1, 0},
		"long name": append([]byte{optionName, 17}, make([]byte, 17)...),
	} {
		c := conn4(1)
		c.Options = options
		if m, err := DecodeMessage(AppendMessage(nil, Message{Conns: []Conn{c}})); !errors.Is(err, ErrMessage) {
			t.Errorf("option %s: %+v, %v", name, m, err)
		}
	}
}

// FuzzMessage: what is decoded is encoded to the same, and nothing panics.
func FuzzMessage(f *testing.F) {
	f.Add(unhex(f, kernelMessage))
	f.Add([]byte{0, 1, 0, 8, 0, 1, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeMessage(b)
		if err != nil {
			return
		}
		again := AppendMessage(nil, m)
		n, err := DecodeMessage(again)
		if err != nil || !reflect.DeepEqual(m, n) {
			t.Fatalf("%+v\n%+v, %v", m, n, err)
		}
	})
}

func parseConnection(line []byte) (Conn, error) {
	x, err := ipvs.ParseConnection(line)
	if err != nil {
		return Conn{}, err
	}
	return connOf(x)
}

func TestParseConnection(t *testing.T) {
	for line, want := range map[string]Conn{
		"TCP C0000264 89BE C000020A 0050 0A09000B 1F90 ESTABLISHED     899": func() Conn { c := conn4(0x89be); c.Timeout, c.Options = 899, nil; return c }(),
		"IP C0000264 0000 00000007 0000 0A09000B 0000 NONE 5": {Client: netip.MustParseAddrPort("192.0.2.100:0"), Virtual: netip.MustParseAddrPort("0.0.0.7:0"),
			Destination: netip.MustParseAddrPort("10.9.0.11:0"), Flags: flagTemplate, Mark: 7, Timeout: 5},
		"TCP C0000264 89BE C000020A 0050 0A09000B 1F90 TIME_WAIT   SYNC  12": func() Conn {
			c := conn4(0x89be)
			c.State, c.Flags, c.Timeout, c.Options = stateTimeWait, flagInactive, 12, nil
			return c
		}(),
		"UDP C0000264 0000 C000020A 13C4 0A09000B 13C4 NONE LOCAL 0 sip a@b": {Protocol: 17, Client: netip.MustParseAddrPort("192.0.2.100:0"),
			Virtual: netip.MustParseAddrPort("192.0.2.10:5060"), Destination: netip.MustParseAddrPort("10.9.0.11:5060"), Flags: flagTemplate, Timeout: 1,
			Options: append([]byte{optionData, 3, 'a', '@', 'b', optionName, 3}, "sip"...)},
		"TCP 2001:0db8:0000:0000:0000:0000:0000:0001 0001 2001:0db8:0000:0000:0000:0000:0000:0002 0050 fd00:0000:0000:0000:0000:0000:0000:0001 0050 ESTABLISHED 5": {
			Protocol: 6, Client: netip.MustParseAddrPort("[2001:db8::1]:1"), Virtual: netip.MustParseAddrPort("[2001:db8::2]:80"),
			Destination: netip.MustParseAddrPort("[fd00::1]:80"), State: stateEstablished, Timeout: 5},
	} {
		c, err := parseConnection([]byte(line))
		if err != nil || !reflect.DeepEqual(c, want) {
			t.Errorf("%s\ngot  %+v, %v\nwant %+v", line, c, err, want)
		}
	}
}

// FuzzConnection: a line of the kernel's table gives a connection that fits into a message, or an error.
func FuzzConnection(f *testing.F) {
	f.Add("TCP C0000264 89BE C000020A 0050 0A09000B 1F90 ESTABLISHED     899 sip a@b")
	f.Add("UDP 2001:db8::1 0001 2001:db8::2 0050 fd00::1 0050 UDP SYNC 5")
	f.Fuzz(func(t *testing.T, line string) {
		c, err := parseConnection([]byte(line))
		if err != nil {
			return
		}
		m, err := DecodeMessage(AppendMessage(nil, Message{Conns: []Conn{c}}))
		if err != nil || len(m.Conns) != 1 || m.Conns[0].Client != c.Client || m.Conns[0].Destination != c.Destination {
			t.Fatalf("%q: %+v became %+v, %v", line, c, m, err)
		}
	})
}

// TestFlow: what is written for the kernel reads back as the connection that it was.
func TestFlow(t *testing.T) {
	c := conn4(7)
	f, err := conntrack.Decode(flowOf(c).AppendNew(nil, c.Destination))
	if err != nil {
		t.Fatal(err)
	}
	if f.Reply.Src != c.Virtual || f.Status != conntrack.Confirmed|conntrack.SeenReply|conntrack.Assured {
		t.Errorf("%+v", f)
	}
	f.Status |= conntrack.DstNAT // as the kernel has it then
	f.Reply.Src = c.Destination
	got, ok := connectionOf(f)
	c.Options = nil
	if !ok || !reflect.DeepEqual(got, c) {
		t.Errorf("%+v, %v, want %+v", got, ok, c)
	}
	f.Status |= conntrack.SrcNAT
	if _, ok := connectionOf(f); ok {
		t.Error("a masqueraded connection is taken")
	}
}

// FuzzFlow: no message of connection tracking makes the decoder panic.
func FuzzFlow(f *testing.F) {
	f.Add(flowOf(conn4(1)).AppendNew(nil, conn4(1).Destination))
	f.Fuzz(func(t *testing.T, b []byte) {
		if x, err := conntrack.Decode(b); err == nil {
			connectionOf(x)
		}
	})
}
