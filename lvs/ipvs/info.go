package ipvs

import (
	"fmt"
)

// The command and the attributes of what the kernel says of its IPVS as a whole (include/uapi/linux/ip_vs.h). The answer comes under the
// number of a command that nobody gives.
const (
	cmdSetInfo = 14
	cmdGetInfo = 15

	infoVersion = 1
	infoBuckets = 2
)

// info is the version of the kernel's IPVS and the size of its table of connections.
type info struct {
	version uint32 // three numbers, a byte each
	buckets uint32 // connections in one of them are looked for one after the other
}

// String is for people, as ipvsadm's first line.
func (i info) String() string {
	return fmt.Sprintf("IPVS %d.%d.%d, %d buckets for connections", i.version>>16&0xff, i.version>>8&0xff, i.version&0xff, i.buckets)
}

func readInfo(c *conn) (i info, err error) {
	err = c.request(command{cmd: cmdGetInfo}, 0, func(answer []byte) (err error) {
		i, err = decodeInfo(answer)
		return err
	})
	if err != nil {
		return i, fmt.Errorf("asking the kernel for the version of its IPVS: %w", permission(err))
	}
	return i, nil
}

// decodeInfo reads a payload of the family.
func decodeInfo(payload []byte) (i info, err error) {
	err = numbers(payload, map[uint16]*uint32{infoVersion: &i.version, infoBuckets: &i.buckets})
	return i, err
}

// numbers reads those 32-bit numbers of a payload that there are.
func numbers(payload []byte, to map[uint16]*uint32) error {
	if len(payload) < 4 {
		return errTruncated
	}
	for list := attributes(payload[4:]); ; {
		kind, value, ok, err := list.next()
		if err != nil || !ok {
			return err
		}
		if n := to[kind]; n != nil {
			err = get(n, value)
		}
		if err != nil {
			return fmt.Errorf("attribute %d: %w", kind, err)
		}
	}
}
