package keepalived

import (
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"quorate/fsm"
)

// readAuthentication reads how adverts are proved.
func (i *instance) readAuthentication() {
	a := &i.adverts
	hmac := i.d.one("auth_hmac")
	if block := i.d.one("authentication"); block != nil {
		i.readPassword(block, hmac != nil)
	}
	if hmac != nil {
		i.readKeys(hmac)
	}
	if a.auth == "AH" {
		a.from["auth"].settle(Unsupported, "auth_type AH is not spoken: neither side would hear the other", "use auth_type PASS, or none, on all directors before the nodes are to take over from them")
	}
}

// readPassword reads the block authentication, of version 2.
func (i *instance) readPassword(block *directive, signed bool) {
	a := &i.adverts
	kind, pass := block.one("auth_type"), block.one("auth_pass")
	leave := func(what, do string) { block.leave(Mistake, "keepalived leaves it out: "+what, do) }
	switch {
	case kind == nil:
		leave("there is no auth_type", "add auth_type PASS on all directors at once, or take the block out")
	case kind.arg(0) != "PASS" && kind.arg(0) != "AH":
		leave("it knows only PASS and AH", "correct the auth_type")
	case i.strict():
		leave("strict mode has none", "take it out")
	case a.version == 3:
		leave("version 3 has none", "take it out")
	case signed:
		leave("there is auth_hmac", "take it out")
	case pass == nil || pass.arg(0) == "":
		leave("there is no auth_pass", "add one on all directors at once, or take the block out")
	default:
		a.auth, a.from["auth"] = kind.arg(0), kind
		a.from["authentication"], a.from["auth_pass"] = block, pass
		if octets := pass.arg(0)[:min(len(pass.arg(0)), fsm.MaxPassword)]; a.auth == "PASS" && i.family4() && !utf8.ValidString(octets) {
			pass.settle(Unsupported, "the 8 octets that keepalived takes of it are no whole characters, and cannot be written", "choose another one on all directors first")
			a.wrong = "its password cannot be written"
		} else if a.auth == "PASS" && i.family4() {
			a.password, a.from["password"] = pass.arg(0)[:min(len(pass.arg(0)), fsm.MaxPassword)], pass
			if len(pass.arg(0)) > fsm.MaxPassword {
				pass.settle(Changed, "virtual_router: password; keepalived takes its first 8 characters, and so it was done here", "")
			}
		} else if a.auth == "PASS" {
			block.leave(Unsupported, "over IPv6 keepalived announces a password and sends none, it takes no advert without that, and versions like 2.2.7 die of one with it", "take the block out on all directors first")
			a.wrong = "its adverts announce a password that they do not have"
		}
	}
}

// readKeys reads the block auth_hmac.
func (i *instance) readKeys(block *directive) {
	a := &i.adverts
	active := block.one("active_key")
	if active == nil {
		block.leave(Mistake, "there is no active_key, and keepalived leaves it out", "add active_key on all directors, then import again")
		return
	}
	lost := ""
	for _, k := range block.all("key") {
		id := fmt.Sprint(k.number(0))
		secret, wrong := i.secretOf(k.arg(1))
		switch {
		case wrong != "":
			k.settle(Unsupported, wrong, "add the key to hmac_keys by hand, as KEYID:HEX")
			lost = id
			continue
		case slices.ContainsFunc(a.keys, func(have string) bool { return strings.HasPrefix(have, id+":") }):
			k.settle(Mistake, "there is a key of this id already", "take one out")
			continue
		}
		text := id + ":" + hex.EncodeToString(secret)
		a.from["key "+id] = k
		if k.number(0) == active.number(0) {
			a.keys = append([]string{text}, a.keys...)
		} else {
			a.keys = append(a.keys, text)
		}
	}
	if len(a.keys) == 0 || !strings.HasPrefix(a.keys[0], fmt.Sprint(active.number(0))+":") {
		a.keys = nil
		if lost == fmt.Sprint(active.number(0)) {
			a.wrong = "its adverts are signed, and the key is not here"
			block.leave(Unsupported, "the key that adverts are signed with is not here", "copy its file beside this one and import again")
		} else {
			block.leave(Mistake, "there is no key with the id of active_key, and keepalived leaves it out", "correct active_key on all directors, then import again")
		}
		return
	}
	a.from["hmac_keys"], a.from["active_key"] = block, active
	if m := block.one("mode"); m != nil {
		a.from["hmac_mode"] = m
		if a.keyMode = fsm.HMACMode(m.arg(0)); i.strict() && a.keyMode != fsm.HMACEnforce {
			a.keyMode = fsm.HMACEnforce
			m.settle(Mistake, "strict mode takes enforce", "write it so")
		}
	}
	if r := block.one("anti_replay"); r != nil && r.arg(0) == "monotonic" {
		r.settle(Changed, "signed adverts are heard while they are young: three intervals, at least 5s; so the clocks have to agree", "have NTP on all hosts")
	} else if r != nil {
		r.settle(Ignored, "it is so", "")
	}
	if w := block.one("time_window"); w != nil {
		w.settle(Changed, "signed adverts are heard while they are young: three intervals, at least 5s", "have NTP on all hosts")
	}
}

// secretOf is the secret that the value of a key stands for.
func (i *instance) secretOf(value string) (secret []byte, wrong string) {
	if name, is := strings.CutPrefix(value, "file:"); is {
		f, err := i.box.reader.files.Open(i.box.reader.full(name))
		if err != nil {
			return nil, "the key is in a file that cannot be read here"
		}
		defer func() { _ = f.Close() }()
		data, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
		if err != nil || len(data) > maxKeyFile {
			return nil, "the key is in a file that cannot be read here, or is too large"
		}
		value = strings.TrimRight(string(data), "\r\n")
	}
	secret = []byte(value)
	if digits, is := strings.CutPrefix(value, "hex:"); is {
		var err error
		if secret, err = hex.DecodeString(digits); err != nil {
			return nil, "the key is no even number of hexadecimal digits"
		}
	}
	if id, _, err := fsm.ParseHMACKey("1:" + hex.EncodeToString(secret)); err != nil || id != 1 {
		return nil, fmt.Sprintf("the key has %d bytes: keepalived takes 32 to 64", len(secret))
	}
	return secret, ""
}

const maxKeyFile = 140 // bytes, as keepalived reads them
