# Made from keepalived.conf by `quorate import keepalived`.
#
# mistake in the source:
#   vmac.conf:9: vrrp_instance M / nopreempt: keepalived leaves nopreempt out where the state is MASTER; use state BACKUP on all directors, if an address shall stay where it is
#   vmac.conf:10: vrrp_instance M / preempt_delay 10: keepalived leaves preempt_delay out where the state is MASTER; use state BACKUP
#
# unsupported:
#   vmac.conf:5: vrrp_instance M / use_vmac_addr: only the addresses of a virtual router have its virtual MAC, on its own interface; give addresses on other interfaces a virtual router there, with a VRID of its own
#   vmac.conf:11: vrrp_instance M / no_accept: an owner takes in packets for its address; filter them on the directors
#   vmac.conf:23: vrrp_instance M / virtual_ipaddress / 10.11.0.1/24 brd 10.11.0.255 dev eth0 scope global: an address has a prefix length and an interface alone; left out: scope global; look whether something relies on it
#   vmac.conf:24: vrrp_instance M / virtual_ipaddress / 10.11.0.2/24 use_vmac no_track: an address has a prefix length and an interface alone; left out: use_vmac, no_track; look whether something relies on it
#   vmac.conf:29: vrrp_instance I / use_ipvlan ipv1 10.11.1.9 bridge: addresses are on the interface itself, or with vmac = true on one with the virtual MAC; set vmac = true in the virtual router, if the MAC of the owner must not be seen
#
# changed meaning:
#   vmac.conf:3: vrrp_instance M / use_vmac vrrp.51 netlink_notify_msg: vmac = true: the interface of the virtual MAC has a name of the agent's own, and no group; look for the name in firewalls and scripts
#   vmac.conf:4: vrrp_instance M / vmac_xmit_base: which of the two interfaces the adverts of a virtual router with vmac leave by is the agent's own choice; look whether a switch expects a certain MAC as their source
#   vmac.conf:6, vmac.conf:30: virtual_router_id: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   vmac.conf:7: vrrp_instance M / priority 255: beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254; this director has 255, with which it never gives way; see that it comes to 253 or less before the cluster is to take over
#   vmac.conf:7: vrrp_instance M / priority 255: the files of the other directors are not here, so that nobody is preferred; beside keepalived the cluster as a whole has one priority, 254; give them all, each with --node NAME=FILE, or write prefer by hand
#   vmac.conf:15: vrrp_instance M / strict_mode on: what the RFCs leave out was left out of the virtual router too; but an owner takes in packets for its address (there is no no_accept)

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

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# vmac.conf:30
virtual_router "I" {
  vrid    = 52
  version = 2
}

# vmac.conf:6, vmac.conf:16, vmac.conf:3
virtual_router "M" {
  vrid    = 51
  version = 2
  vmac    = true
}

# A virtual IP address, which one node at a time owns.
# vmac.conf:23
vip "10.11.0.1" {
  address        = "10.11.0.1/24"
  interface      = "eth0"
  group          = "M"
  virtual_router = "M"
}

# vmac.conf:24
vip "10.11.0.2" {
  address        = "10.11.0.2/24"
  interface      = "eth0"
  group          = "M"
  virtual_router = "M"
}

# vmac.conf:31
vip "I" {
  address        = "10.11.1.1/24"
  interface      = "eth1"
  virtual_router = "I"
}

# All findings:
# mistake in the source (2)
#   vmac.conf:9   vrrp_instance M / nopreempt         keepalived leaves nopreempt out where the state is MASTER; use state BACKUP on all directors, if an address shall stay where it is
#   vmac.conf:10  vrrp_instance M / preempt_delay 10  keepalived leaves preempt_delay out where the state is MASTER; use state BACKUP
#
# unsupported (5)
#   vmac.conf:5   vrrp_instance M / use_vmac_addr                                                           only the addresses of a virtual router have its virtual MAC, on its own interface; give addresses on other interfaces a virtual router there, with a VRID of its own
#   vmac.conf:11  vrrp_instance M / no_accept                                                               an owner takes in packets for its address; filter them on the directors
#   vmac.conf:23  vrrp_instance M / virtual_ipaddress / 10.11.0.1/24 brd 10.11.0.255 dev eth0 scope global  an address has a prefix length and an interface alone; left out: scope global; look whether something relies on it
#   vmac.conf:24  vrrp_instance M / virtual_ipaddress / 10.11.0.2/24 use_vmac no_track                      an address has a prefix length and an interface alone; left out: use_vmac, no_track; look whether something relies on it
#   vmac.conf:29  vrrp_instance I / use_ipvlan ipv1 10.11.1.9 bridge                                        addresses are on the interface itself, or with vmac = true on one with the virtual MAC; set vmac = true in the virtual router, if the MAC of the owner must not be seen
#
# changed meaning (7)
#   vmac.conf:3   vrrp_instance M / use_vmac vrrp.51 netlink_notify_msg  vmac = true: the interface of the virtual MAC has a name of the agent's own, and no group; look for the name in firewalls and scripts
#   vmac.conf:4   vrrp_instance M / vmac_xmit_base                       which of the two interfaces the adverts of a virtual router with vmac leave by is the agent's own choice; look whether a switch expects a certain MAC as their source
#   vmac.conf:6   vrrp_instance M / virtual_router_id 51                 the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   vmac.conf:7   vrrp_instance M / priority 255                         beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254; this director has 255, with which it never gives way; see that it comes to 253 or less before the cluster is to take over
#   vmac.conf:7   vrrp_instance M / priority 255                         the files of the other directors are not here, so that nobody is preferred; beside keepalived the cluster as a whole has one priority, 254; give them all, each with --node NAME=FILE, or write prefer by hand
#   vmac.conf:15  vrrp_instance M / strict_mode on                       what the RFCs leave out was left out of the virtual router too; but an owner takes in packets for its address (there is no no_accept)
#   vmac.conf:30  vrrp_instance I / virtual_router_id 52                 the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#
# ignored: not needed (9)
#   vmac.conf:8   vrrp_instance M / state MASTER                it is a hint for the start; `prefer` follows the priorities
#   vmac.conf:12  vrrp_instance M / garp_master_delay 1         the new owner announces an address at once, several times, and again while it has it, without being told
#   vmac.conf:13  vrrp_instance M / garp_extra_if all 10        the new owner announces an address at once, several times, and again while it has it, without being told
#   vmac.conf:14  vrrp_instance M / skip_check_adv_addr         adverts with other addresses count, and the difference is reported
#   vmac.conf:17  vrrp_instance M / old_unicast_checksum never  adverts of this version and family have but one form of the checksum, or it is the default
#   vmac.conf:18  vrrp_instance M / timer_expired_backup 200    a node that stalls loses its lease by the kernel's clock, and is silent before another owns the address
#   vmac.conf:19  vrrp_instance M / thread_timer_expired        a node that stalls loses its lease by the kernel's clock, and is silent before another owns the address
#   vmac.conf:20  vrrp_instance M / promote_secondaries         addresses are made and taken away one by one, and what disappears with another is put back
#   vmac.conf:21  vrrp_instance M / debug 4                     it does nothing in keepalived either
#
# mapped (10)
#   vmac.conf:1   vrrp_instance M                                     group "M"
#   vmac.conf:2   vrrp_instance M / interface eth0                    vip: interface
#   vmac.conf:6   vrrp_instance M / virtual_router_id 51              virtual_router: vrid
#   vmac.conf:16  vrrp_instance M / version 2                         virtual_router: version
#   vmac.conf:22  vrrp_instance M / virtual_ipaddress                 vip: address
#   vmac.conf:27  vrrp_instance I                                     vip "I"
#   vmac.conf:28  vrrp_instance I / interface eth1                    vip: interface
#   vmac.conf:30  vrrp_instance I / virtual_router_id 52              virtual_router: vrid
#   vmac.conf:31  vrrp_instance I / virtual_ipaddress                 vip: address
#   vmac.conf:31  vrrp_instance I / virtual_ipaddress / 10.11.1.1/24  vip "I": address
#
