package client

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestReadMessage(t *testing.T) {
	in := ": hello\n\nid: 3\ndata: one\n\ndata: a\ndata:b\r\nevent: forgotten\n\nid: 9\n\nunknown: x\ndata\n\ndata: cut off"
	r := bufio.NewReaderSize(strings.NewReader(in), 16)
	for _, want := range []frame{{id: "3", data: "one"}, {kind: "forgotten", data: "a\nb"}, {data: ""}} {
		got, err := readMessage(r)
		if err != nil || got != want {
			t.Fatalf("%+v, %v; want %+v", got, err, want)
		}
	}
	if m, err := readMessage(r); !errors.Is(err, io.EOF) {
		t.Errorf("a message that was cut off: %+v, %v", m, err)
	}
}

func TestReadMessageIsBounded(t *testing.T) {
	for name, in := range map[string]io.Reader{
		"one line":   io.MultiReader(strings.NewReader("data: "), endless("x")),
		"many lines": endless("data: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n"),
	} {
		if _, err := readMessage(bufio.NewReader(in)); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// endless repeats its text for ever.
type endless string

func (e endless) Read(b []byte) (int, error) {
	n := 0
	for n < len(b) {
		n += copy(b[n:], e[:])
	}
	return n, nil
}

func FuzzReadMessage(f *testing.F) {
	f.Add("id: 3\ndata: {}\n\n")
	f.Add(": c\n\nevent: x\ndata\n\n")
	f.Add("\r\n\r\ndata:\r\n\r\n")
	f.Fuzz(func(t *testing.T, in string) {
		r := bufio.NewReaderSize(strings.NewReader(in), 16)
		for range len(in) + 1 {
			m, err := readMessage(r)
			if err != nil {
				return
			}
			if strings.ContainsAny(m.id+m.kind, "\n") {
				t.Errorf("a line end inside %+v", m)
			}
		}
		t.Error("more messages than bytes")
	})
}
