package cluster

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
)

// tokenPrefix makes a token recognisable and versioned.
const tokenPrefix = "quorate1-"

// maxToken is more than a valid token needs.
const maxToken = 256

// ErrToken is the reason of every refusal of a token that cannot be read.
var ErrToken = errors.New("not a valid join token")

// A token is what a node needs to join: the id of the cluster and its key.
//
// Its text is "quorate1-" and, in unpadded base64url: the length of the id (one byte), the id, the key (32 bytes), and the
// CRC-32 of all that, so that a token cut short by copy and paste is told apart from a wrong one.
type token struct {
	cluster string
	key     []byte
}

// String is the text form.
func (t token) String() string {
	b := append([]byte{byte(len(t.cluster))}, t.cluster...)
	b = append(b, t.key...)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(b)
}

// parseToken reads a token; every error is ErrToken with what is wrong and what to do.
func parseToken(s string) (token, error) {
	const cure = `copy the whole line that "quorate bootstrap" printed`
	s = strings.TrimSpace(s)
	if s == "" {
		return token{}, fmt.Errorf("%w: it is empty; %s", ErrToken, cure)
	}
	if len(s) > maxToken || !strings.HasPrefix(s, tokenPrefix) {
		return token{}, fmt.Errorf("%w: it does not start with %q; %s", ErrToken, tokenPrefix, cure)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s[len(tokenPrefix):])
	if err != nil || len(b) < 1+1+keySize+4 {
		return token{}, fmt.Errorf("%w: it is damaged or cut short; %s", ErrToken, cure)
	}
	body, sum := b[:len(b)-4], b[len(b)-4:]
	if !bytes.Equal(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body)), sum) || len(body) != 1+int(body[0])+keySize {
		return token{}, fmt.Errorf("%w: it is damaged or cut short; %s", ErrToken, cure)
	}
	n := int(body[0])
	t := token{cluster: string(body[1 : 1+n]), key: body[1+n:]}
	if !validClusterID(t.cluster) {
		return token{}, fmt.Errorf("%w: its cluster id is malformed; %s", ErrToken, cure)
	}
	return t, nil
}

// validClusterID accepts 1 to 32 lower-case letters and digits.
func validClusterID(s string) bool {
	if len(s) == 0 || len(s) > 32 {
		return false
	}
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}
