# Made from keepalived.conf by `quorate import keepalived`.
#
# mistake in the source:
#   vmac.conf:9: vrrp_instance M / nopreempt: keepalived leaves nopreempt out where the state is MASTER; use state BACKUP on all directors, if an address shall stay where it is
#   vmac.conf:10: vrrp_instance M / preempt_delay 10: keepalived leaves preempt_delay out where the state is MASTER; use state BACKUP
#
# unsupported:
#   vmac.conf:3: vrrp_instance M / use_vmac vrrp.51 netlink_notify_msg: this version has no virtual MAC: an address is answered for with the MAC of the owner's interface, and announced when it moves; look whether a switch or a router expects the virtual MAC
#   vmac.conf:4: vrrp_instance M / vmac_xmit_base: this version has no virtual MAC: an address is answered for with the MAC of the owner's interface, and announced when it moves; look whether a switch or a router expects the virtual MAC
#   vmac.conf:5: vrrp_instance M / use_vmac_addr: this version has no virtual MAC: an address is answered for with the MAC of the owner's interface, and announced when it moves; look whether a switch or a router expects the virtual MAC
#   vmac.conf:6, vmac.conf:30: virtual_router_id: this version does not speak VRRP, and needs none inside the cluster; keep the number: it matters beside a keepalived that stays
#   vmac.conf:11: vrrp_instance M / no_accept: an owner takes in packets for its address; filter them on the directors
#   vmac.conf:14: vrrp_instance M / skip_check_adv_addr: this version does not speak VRRP; nothing is lost between the nodes of the cluster; beside a keepalived that stays it matters
#   vmac.conf:15: vrrp_instance M / strict_mode on: this version does not speak VRRP; nothing is lost between the nodes of the cluster; beside a keepalived that stays it matters
#   vmac.conf:16: vrrp_instance M / version 2: this version does not speak VRRP, and needs none inside the cluster; it matters beside a keepalived that stays
#   vmac.conf:17: vrrp_instance M / old_unicast_checksum never: this version does not speak VRRP; nothing is lost between the nodes of the cluster; beside a keepalived that stays it matters
#   vmac.conf:23: vrrp_instance M / virtual_ipaddress / 10.11.0.1/24 brd 10.11.0.255 dev eth0 scope global: an address has a prefix length and an interface alone; left out: scope global; look whether something relies on it
#   vmac.conf:24: vrrp_instance M / virtual_ipaddress / 10.11.0.2/24 use_vmac no_track: an address has a prefix length and an interface alone; left out: use_vmac, no_track; look whether something relies on it
#   vmac.conf:29: vrrp_instance I / use_ipvlan ipv1 10.11.1.9 bridge: this version has no virtual MAC: an address is answered for with the MAC of the owner's interface, and announced when it moves; look whether a switch or a router expects the virtual MAC
#
# changed meaning:
#   vmac.conf:7: vrrp_instance M / priority 255: the files of the other directors are not here, so that nobody is preferred; give them all, each with --node NAME=FILE, or write prefer by hand

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# VIPs that always have the same owner, and where they go.
# vmac.conf:1
group "M" {
}

# A virtual IP address, which one node at a time owns.
# vmac.conf:23
vip "10.11.0.1" {
  address   = "10.11.0.1/24"
  interface = "eth0"
  group     = "M"
}

# vmac.conf:24
vip "10.11.0.2" {
  address   = "10.11.0.2/24"
  interface = "eth0"
  group     = "M"
}

# vmac.conf:31
vip "I" {
  address   = "10.11.1.1/24"
  interface = "eth1"
}

# All findings:
# mistake in the source (2)
#   vmac.conf:9   vrrp_instance M / nopreempt         keepalived leaves nopreempt out where the state is MASTER; use state BACKUP on all directors, if an address shall stay where it is
#   vmac.conf:10  vrrp_instance M / preempt_delay 10  keepalived leaves preempt_delay out where the state is MASTER; use state BACKUP
#
# unsupported (13)
#   vmac.conf:3   vrrp_instance M / use_vmac vrrp.51 netlink_notify_msg                                     this version has no virtual MAC: an address is answered for with the MAC of the owner's interface, and announced when it moves; look whether a switch or a router expects the virtual MAC
#   vmac.conf:4   vrrp_instance M / vmac_xmit_base                                                          this version has no virtual MAC: an address is answered for with the MAC of the owner's interface, and announced when it moves; look whether a switch or a router expects the virtual MAC
#   vmac.conf:5   vrrp_instance M / use_vmac_addr                                                           this version has no virtual MAC: an address is answered for with the MAC of the owner's interface, and announced when it moves; look whether a switch or a router expects the virtual MAC
#   vmac.conf:6   vrrp_instance M / virtual_router_id 51                                                    this version does not speak VRRP, and needs none inside the cluster; keep the number: it matters beside a keepalived that stays
#   vmac.conf:11  vrrp_instance M / no_accept                                                               an owner takes in packets for its address; filter them on the directors
#   vmac.conf:14  vrrp_instance M / skip_check_adv_addr                                                     this version does not speak VRRP; nothing is lost between the nodes of the cluster; beside a keepalived that stays it matters
#   vmac.conf:15  vrrp_instance M / strict_mode on                                                          this version does not speak VRRP; nothing is lost between the nodes of the cluster; beside a keepalived that stays it matters
#   vmac.conf:16  vrrp_instance M / version 2                                                               this version does not speak VRRP, and needs none inside the cluster; it matters beside a keepalived that stays
#   vmac.conf:17  vrrp_instance M / old_unicast_checksum never                                              this version does not speak VRRP; nothing is lost between the nodes of the cluster; beside a keepalived that stays it matters
#   vmac.conf:23  vrrp_instance M / virtual_ipaddress / 10.11.0.1/24 brd 10.11.0.255 dev eth0 scope global  an address has a prefix length and an interface alone; left out: scope global; look whether something relies on it
#   vmac.conf:24  vrrp_instance M / virtual_ipaddress / 10.11.0.2/24 use_vmac no_track                      an address has a prefix length and an interface alone; left out: use_vmac, no_track; look whether something relies on it
#   vmac.conf:29  vrrp_instance I / use_ipvlan ipv1 10.11.1.9 bridge                                        this version has no virtual MAC: an address is answered for with the MAC of the owner's interface, and announced when it moves; look whether a switch or a router expects the virtual MAC
#   vmac.conf:30  vrrp_instance I / virtual_router_id 52                                                    this version does not speak VRRP, and needs none inside the cluster; keep the number: it matters beside a keepalived that stays
#
# changed meaning (1)
#   vmac.conf:7  vrrp_instance M / priority 255  the files of the other directors are not here, so that nobody is preferred; give them all, each with --node NAME=FILE, or write prefer by hand
#
# ignored: not needed (7)
#   vmac.conf:8   vrrp_instance M / state MASTER              it is a hint for the start; `prefer` follows the priorities
#   vmac.conf:12  vrrp_instance M / garp_master_delay 1       the new owner announces an address at once, several times, and again while it has it, without being told
#   vmac.conf:13  vrrp_instance M / garp_extra_if all 10      the new owner announces an address at once, several times, and again while it has it, without being told
#   vmac.conf:18  vrrp_instance M / timer_expired_backup 200  a node that stalls loses its lease by the kernel's clock, and is silent before another owns the address
#   vmac.conf:19  vrrp_instance M / thread_timer_expired      a node that stalls loses its lease by the kernel's clock, and is silent before another owns the address
#   vmac.conf:20  vrrp_instance M / promote_secondaries       addresses are made and taken away one by one, and what disappears with another is put back
#   vmac.conf:21  vrrp_instance M / debug 4                   it does nothing in keepalived either
#
# mapped (7)
#   vmac.conf:1   vrrp_instance M                                     group "M"
#   vmac.conf:2   vrrp_instance M / interface eth0                    vip: interface
#   vmac.conf:22  vrrp_instance M / virtual_ipaddress                 vip: address
#   vmac.conf:27  vrrp_instance I                                     vip "I"
#   vmac.conf:28  vrrp_instance I / interface eth1                    vip: interface
#   vmac.conf:31  vrrp_instance I / virtual_ipaddress                 vip: address
#   vmac.conf:31  vrrp_instance I / virtual_ipaddress / 10.11.1.1/24  vip "I": address
#
