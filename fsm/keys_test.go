package fsm

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// A replica stops at a key of a command that it does not know. So a key that schema 4 did not have is never written at that schema: what says
// it is refused, or leaves it out.
func TestNoNewKeysAtAnOldSchema(t *testing.T) {
	text, err := os.ReadFile("testdata/schema4.keys")
	if err != nil {
		t.Fatal(err)
	}
	old := strings.Fields(string(text))
	var fresh []string
	commandKeys(reflect.TypeFor[Command](), "", func(path string) {
		if !slices.Contains(old, path) {
			fresh = append(fresh, path)
		}
	})
	if !slices.Contains(fresh, "put_node.node.facts.features") || !slices.Contains(fresh, "configure.config.services.persistence.timeout") {
		t.Fatalf("the keys that are new: %q", fresh)
	}
	for _, path := range fresh {
		c := Command{Schema: schemaHold}
		setKey(t, reflect.ValueOf(&c).Elem(), strings.Split(path, "."))
		b, err := Encode(c)
		if errors.Is(err, ErrSchema) {
			continue
		}
		if err != nil {
			t.Errorf("%s: %v, want a refusal for its schema", path, err)
			continue
		}
		var tree any
		if err := json.Unmarshal(b, &tree); err != nil {
			t.Fatal(err)
		}
		if hasKey(tree, strings.Split(path, ".")) {
			t.Errorf("%s is written at schema %d: %s", path, schemaHold, b)
		}
	}
	// The same, by a newer one.
	c := Command{Schema: MaxSchema, PutNode: &PutNode{Node: Node{Facts: Facts{Features: []string{"fwmark"}, Unsynced: true, Planes: []Plane{{Features: []string{"fwmark"}}}}}}}
	b, err := Encode(c)
	if err != nil || bytes.Count(b, []byte(`"features":["fwmark"]`)) != 2 || !bytes.Contains(b, []byte(`"unsynced":true`)) {
		t.Errorf("%s, %v", b, err)
	}
	c.Schema = schemaHold
	if _, err := Encode(c); err != nil || c.PutNode.Node.Facts.Planes[0].Features == nil {
		t.Errorf("what was to be written was changed: %+v, %v", c.PutNode, err)
	}
}

// commandKeys tells of each key of a type, as a path.
func commandKeys(t reflect.Type, path string, tell func(string)) {
	switch kind := t.Kind(); {
	case kind == reflect.Pointer || kind == reflect.Slice || kind == reflect.Map && !isText(t):
		commandKeys(t.Elem(), path, tell)
	case kind != reflect.Struct || isText(t):
		tell(path)
	default:
		for i := range t.NumField() {
			if f := t.Field(i); f.Anonymous {
				commandKeys(f.Type, path, tell)
			} else if f.IsExported() {
				commandKeys(f.Type, strings.TrimPrefix(path+"."+keyOf(f), "."), tell)
			}
		}
	}
}

func keyOf(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

func isText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// setKey gives the key at path some value that is not zero.
func setKey(t *testing.T, v reflect.Value, path []string) {
	switch kind := v.Kind(); {
	case kind == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		setKey(t, v.Elem(), path)
	case kind == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		setKey(t, v.Index(0), path)
	case kind == reflect.Map:
		elem := reflect.New(v.Type().Elem()).Elem()
		setKey(t, elem, path)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("x").Convert(v.Type().Key()), elem)
	case len(path) > 0:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.Anonymous && slices.ContainsFunc(reflect.VisibleFields(f.Type), func(f reflect.StructField) bool { return keyOf(f) == path[0] }) {
				setKey(t, v.Field(i), path)
				return
			}
			if keyOf(v.Type().Field(i)) == path[0] {
				setKey(t, v.Field(i), path[1:])
				return
			}
		}
		t.Fatalf("%v has no key %q", v.Type(), path[0])
	default:
		setValue(t, v)
	}
}

func setValue(t *testing.T, v reflect.Value) {
	server := netip.MustParseAddrPort("10.0.0.1:80")
	switch v.Interface().(type) {
	case netip.AddrPort:
		v.Set(reflect.ValueOf(server))
		return
	case netip.Addr:
		v.Set(reflect.ValueOf(server.Addr()))
		return
	case netip.Prefix:
		v.Set(reflect.ValueOf(netip.PrefixFrom(server.Addr(), 24)))
		return
	case PortRange:
		v.Set(reflect.ValueOf(PortRange{80, 89}))
		return
	case AddressRange:
		v.Set(reflect.ValueOf(AddressRange{server.Addr(), server.Addr()}))
		return
	case ServerKey:
		v.Set(reflect.ValueOf(ServerKey{"x", server}))
		return
	case AddressKey:
		v.Set(reflect.ValueOf(AddressKey{Addr: server.Addr()}))
		return
	case time.Time:
		v.Set(reflect.ValueOf(epochTime))
		return
	}
	switch {
	case v.CanInt():
		v.SetInt(1)
	case v.CanUint():
		v.SetUint(1)
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.Kind() == reflect.String:
		v.SetString("x")
	default:
		t.Fatalf("no value for a %v", v.Type())
	}
}

// hasKey reports whether a decoded document has something at path, whatever lists and maps are on the way.
func hasKey(tree any, path []string) bool {
	switch x := tree.(type) {
	case []any:
		return slices.ContainsFunc(x, func(y any) bool { return hasKey(y, path) })
	case map[string]any:
		if y, ok := x[path[0]]; ok {
			return len(path) == 1 || hasKey(y, path[1:])
		}
		y, ok := x["x"] // of setKey
		return ok && hasKey(y, path)
	}
	return false
}
