// The ownership gate: passes what is said or heard of a cluster address only while this node holds the lease under which
// the actuator opened it. ../DESIGN.md says why it is so; ../model_test.go says the same rules in Go.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

// Both attachments read these the same way (linux/pkt_cls.h TC_ACT_*, linux/bpf.h TCX_*). "Next" leaves the frame to
// the programs of others.
#define NEXT (-1)
#define DROP 2

#define PACKET_OTHERHOST 3 // linux/if_packet.h

#define P_IPV4 0x0800
#define P_ARP 0x0806
#define P_VLAN 0x8100
#define P_IPV6 0x86dd
#define P_QINQ 0x88a8

#define NS 135 // RFC 4861 section 4.3
#define NA 136 // section 4.4

enum direction { IN, OUT };
enum protocol { ARP, NDP, IP };
enum reason { PASS = -1, CLOSED, EXPIRED };

#define FLAG_ARP 1
#define FLAG_IP 2

typedef __u8 address[16]; // IPv4 as ::ffff:a.b.c.d

// The locks make the kernel write a value in place (BPF_F_LOCK) instead of putting a new element in its stead: an element
// that was replaced may be used again at once, for another key, under the eyes of a program that is reading it. The program
// does not take them: each field is read in one go, and of a write that it sees in part, no mixture is more open than both
// of what was and what will be.
struct entry {
	struct bpf_spin_lock lock;
	__u32 flags;
	__u64 epoch; // 0: closed
	__u64 ip_until; // ns of CLOCK_BOOTTIME; 0: no end but the lease's
};

struct deadline {
	struct bpf_spin_lock lock;
	__u32 unused;
	__u64 until; // ns of CLOCK_BOOTTIME
};

// The names carry the version of the layout: a program of another one does not take these maps over.

struct {
	__uint(type, BPF_MAP_TYPE_HASH); // with its memory, 2 MB: without, Linux 6.1 takes no more than some dozens at once
	__uint(max_entries, 16384);
	__type(key, address);
	__type(value, struct entry);
} quorate_vip_1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH); // with its memory, so that a renewal cannot fail for want of it
	__uint(max_entries, 16);
	__type(key, __u64);
	__type(value, struct deadline);
} quorate_lease_1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 12); // [direction][protocol][reason]
	__type(key, __u32);
	__type(value, __u64);
} quorate_drops_1 SEC(".maps");

// judge says whether a frame that claims the address, or carries its traffic, may pass. An address without an entry is no
// cluster address.
static __always_inline int judge(const __u8 *addr, enum protocol protocol)
{
	const struct entry *e = bpf_map_lookup_elem(&quorate_vip_1, addr);
	if (!e)
		return PASS;
	__u64 epoch = *(volatile __u64 *)&e->epoch;
	__u32 flags = *(volatile __u32 *)&e->flags;
	__u64 ip_until = *(volatile __u64 *)&e->ip_until;
	if (!epoch || !(flags & (protocol == IP ? FLAG_IP : FLAG_ARP)))
		return CLOSED;
	const struct deadline *d = bpf_map_lookup_elem(&quorate_lease_1, &epoch);
	if (!d)
		return EXPIRED;
	__u64 now = bpf_ktime_get_boot_ns();
	if (now >= *(volatile __u64 *)&d->until)
		return EXPIRED;
	if (ip_until) {
		if (protocol != IP) // a linger claims nothing
			return CLOSED;
		if (now >= ip_until)
			return EXPIRED;
	}
	return PASS;
}

static __always_inline int decide(enum direction direction, enum protocol protocol, const __u8 *addr)
{
	int reason = judge(addr, protocol);
	if (reason == PASS)
		return NEXT;
	__u32 i = (direction * 3 + protocol) * 2 + reason;
	__u64 *n = bpf_map_lookup_elem(&quorate_drops_1, &i);
	if (n)
		(*n)++;
	return DROP;
}

static __always_inline void map4(__u8 *to, const __u8 *addr)
{
	__builtin_memset(to, 0, 10);
	to[10] = to[11] = 0xff;
	__builtin_memcpy(to + 12, addr, 4);
}

static __always_inline int same4(const __u8 *a, const __u8 *b)
{
	return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3];
}

// arp is RFC 826 for Ethernet and IPv4. What is shorter or has other lengths no host reads as such: it passes.
static __always_inline int arp(struct __sk_buff *skb, __u32 off, enum direction direction)
{
	struct {
		__be16 hardware, protocol;
		__u8 hardware_len, protocol_len;
		__be16 op;
		__u8 sender_mac[6], sender[4], target_mac[6], target[4];
	} __attribute__((packed)) p;
	if (bpf_skb_load_bytes(skb, off, &p, sizeof(p)) || p.protocol != bpf_htons(P_IPV4) || p.hardware_len != 6 || p.protocol_len != 4)
		return NEXT;
	address a;
	if (direction == OUT) {
		// Whoever is named as the sender is learnt, from requests and replies alike. Asking for the address in our own
		// name, or in none (RFC 5227 probes), claims nothing.
		map4(a, p.sender);
		return decide(OUT, ARP, a);
	}
	// The owner announces itself as sender and target: nobody is asked, and our neighbour table has to learn of it.
	if (same4(p.sender, p.target))
		return NEXT;
	// Who asks, also by a probe, gets no answer. The owner asking for others passes: then the target is another.
	map4(a, p.target);
	return decide(IN, ARP, a);
}

static __always_inline int ipv4(struct __sk_buff *skb, __u32 off, enum direction direction)
{
	__u8 p[8]; // source and destination
	if (bpf_skb_load_bytes(skb, off + 12, p, sizeof(p)))
		return NEXT;
	address a;
	map4(a, direction == IN ? p + 4 : p);
	return decide(direction, IP, a);
}

// The headers that may stand before ICMPv6, each at most once but for one (RFC 8200 section 4.1), and some more. Hosts read
// longer chains too: behind one, a question for a closed address is let in; the answer goes out in one of the kernel's own frames,
// without such a chain, and is dropped there.
#define MAX_EXTENSIONS 10

// icmp6 finds the ICMPv6 header of a packet whose first extension header is at off: its place, or 0.
static __always_inline __u32 icmp6(struct __sk_buff *skb, __u32 off, __u8 next)
{
	for (int i = 0; i < MAX_EXTENSIONS; i++) {
		__u8 h[4];
		if (next == 58)
			return off;
		switch (next) {
		case 0: // hop by hop
		case 43: // routing
		case 60: // destination
		case 135: // mobility
		case 139: // host identity
		case 140: // shim6
			if (bpf_skb_load_bytes(skb, off, h, 2))
				return 0;
			off += ((__u32)h[1] + 1) * 8;
			break;
		case 51: // authentication
			if (bpf_skb_load_bytes(skb, off, h, 2))
				return 0;
			off += ((__u32)h[1] + 2) * 4;
			break;
		case 44: // fragment
			if (bpf_skb_load_bytes(skb, off, h, 4) || h[2] || h[3] & 0xf8)
				return 0; // not the first: what it continues was judged, and hosts take no neighbour discovery in fragments (RFC 6980)
			off += 8;
			break;
		default:
			return 0;
		}
		next = h[0];
	}
	return 0;
}

static __always_inline int ipv6(struct __sk_buff *skb, __u32 off, enum direction direction)
{
	struct {
		__u32 first;
		__be16 length;
		__u8 next, hops;
		__u8 source[16], destination[16];
	} p;
	if (bpf_skb_load_bytes(skb, off, &p, sizeof(p)))
		return NEXT;
	__u8 type = 0;
	__u32 at = icmp6(skb, off + sizeof(p), p.next);
	if (at && bpf_skb_load_bytes(skb, at, &type, 1))
		type = 0;
	if (type == NS || type == NA) {
		address target;
		if (!bpf_skb_load_bytes(skb, at + 8, target, sizeof(target))) {
			const __u64 *s = (const __u64 *)p.source;
			int verdict = NEXT;
			if (direction == IN && type == NS) // also a probe (DAD): no answer
				verdict = decide(IN, NDP, target);
			else if (direction == OUT && type == NA)
				verdict = decide(OUT, NDP, target);
			else if (direction == OUT && !s[0] && !s[1]) // DAD: meaning to have it. To ask in our own name is no claim.
				verdict = decide(OUT, NDP, target);
			if (verdict != NEXT)
				return verdict;
		}
	}
	if (direction == IN)
		return decide(IN, IP, p.destination);
	// All of neighbour discovery may carry the sender's MAC, which is learnt with its address.
	if (type >= 133 && type <= 137)
		return decide(OUT, NDP, p.source);
	return decide(OUT, IP, p.source);
}

// gate looks at one frame, from its Ethernet header on. A VLAN tag is beside the frame (then the type in the header is the
// one inside) or in it; deeper stacks than two are looked at once more on the VLAN's own link. Frames that are too
// short for what they say they are pass: no host reads what is not there.
static __always_inline int gate(struct __sk_buff *skb, enum direction direction)
{
	// For another host's MAC, as bridged guests' frames are: this host's protocols do not take it either.
	if (direction == IN && skb->pkt_type == PACKET_OTHERHOST)
		return NEXT;
	__be16 type;
	__u32 off = 12;
	if (bpf_skb_load_bytes(skb, off, &type, sizeof(type)))
		return NEXT;
	for (int i = 0; i < 2; i++) {
		if (type != bpf_htons(P_VLAN) && type != bpf_htons(P_QINQ))
			break;
		off += 4;
		if (bpf_skb_load_bytes(skb, off, &type, sizeof(type)))
			return NEXT;
	}
	off += 2;
	switch (type) {
	case bpf_htons(P_ARP):
		return arp(skb, off, direction);
	case bpf_htons(P_IPV4):
		return ipv4(skb, off, direction);
	case bpf_htons(P_IPV6):
		return ipv6(skb, off, direction);
	}
	return NEXT;
}

SEC("tc") int quorate_in(struct __sk_buff *skb) { return gate(skb, IN); }
SEC("tc") int quorate_out(struct __sk_buff *skb) { return gate(skb, OUT); }

char _license[] SEC("license") = "Apache-2.0"; // it uses no function that asks for the GPL
