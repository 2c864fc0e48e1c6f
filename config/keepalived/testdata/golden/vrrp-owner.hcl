# Made from keepalived.conf by `quorate import keepalived`.
#
# mistake in the source:
#   vrrp-owner/lb1.conf:28, vrrp-owner/lb2.conf:28: vrrp_instance Q / authentication: keepalived leaves it out: version 3 has none; take it out
#   vrrp-owner/lb1.conf:39, vrrp-owner/lb2.conf:39: vrrp_instance S / authentication: keepalived leaves it out: strict mode has none; take it out
#   vrrp-owner/lb1.conf:49, vrrp-owner/lb2.conf:49: vrrp_instance T / authentication: keepalived leaves it out: there is no auth_type; add auth_type PASS on all directors at once, or take the block out
#
# unsupported:
#   vrrp-owner/lb1.conf:8, vrrp-owner/lb2.conf:8: vrrp_instance O / authentication / auth_type AH: auth_type AH is not spoken: neither side would hear the other; use auth_type PASS, or none, on all directors before the nodes are to take over from them
#
# changed meaning:
#   vrrp-owner/lb1.conf:4, vrrp-owner/lb1.conf:15, vrrp-owner/lb1.conf:25, vrrp-owner/lb1.conf:36 and 1 more: virtual_router_id: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   vrrp-owner/lb1.conf:6: vrrp_instance O / priority 255: beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254; this director has 255, with which it never gives way; see that it comes to 253 or less before the cluster is to take over
#   vrrp-owner/lb1.conf:6, vrrp-owner/lb2.conf:6: priority: it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254
#   vrrp-owner/lb1.conf:16, vrrp-owner/lb1.conf:27, vrrp-owner/lb1.conf:38, vrrp-owner/lb1.conf:48 and 4 more: priority: it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 120 at most
#   vrrp-owner/lb1.conf:19, vrrp-owner/lb2.conf:19: vrrp_instance P / authentication / auth_pass …: virtual_router: password; keepalived takes its first 8 characters, and so it was done here
#   vrrp-owner/lb1.conf:37, vrrp-owner/lb2.conf:37: vrrp_instance S / strict_mode: what the RFCs leave out was left out of the virtual router too; but an owner takes in packets for its address (there is no no_accept)

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# vrrp-owner/lb1.conf:4, vrrp-owner/lb2.conf:4, vrrp-owner/lb1.conf:8, vrrp-owner/lb1.conf:9, and 4 more
virtual_router "O" {
  vrid    = 99
  version = 2
}

# vrrp-owner/lb1.conf:15, vrrp-owner/lb2.conf:15, vrrp-owner/lb1.conf:18, vrrp-owner/lb1.conf:19, and 4 more
virtual_router "P" {
  vrid     = 100
  version  = 2
  password = "longer-t"
}

# vrrp-owner/lb1.conf:25, vrrp-owner/lb2.conf:25, vrrp-owner/lb1.conf:26, vrrp-owner/lb2.conf:26
virtual_router "Q" {
  vrid = 101
}

# vrrp-owner/lb1.conf:36, vrrp-owner/lb2.conf:36
virtual_router "S" {
  vrid    = 102
  version = 2
}

# vrrp-owner/lb1.conf:47, vrrp-owner/lb2.conf:47
virtual_router "T" {
  vrid    = 103
  version = 2
}

# A virtual IP address, which one node at a time owns.
# vrrp-owner/lb1.conf:11, vrrp-owner/lb2.conf:11
vip "O" {
  address        = "10.99.0.1/24"
  interface      = "eth0"
  prefer         = ["lb1", "lb2"]
  preempt        = true
  virtual_router = "O"
}

# vrrp-owner/lb1.conf:21, vrrp-owner/lb2.conf:21
vip "P" {
  address        = "10.100.0.1/24"
  interface      = "eth0"
  prefer         = ["lb1", "lb2"]
  preempt        = true
  virtual_router = "P"
}

# vrrp-owner/lb1.conf:32, vrrp-owner/lb2.conf:32
vip "Q" {
  address        = "10.101.0.1/24"
  interface      = "eth0"
  prefer         = ["lb1", "lb2"]
  preempt        = true
  virtual_router = "Q"
}

# vrrp-owner/lb1.conf:43, vrrp-owner/lb2.conf:43
vip "S" {
  address        = "10.102.0.1/24"
  interface      = "eth0"
  prefer         = ["lb1", "lb2"]
  preempt        = true
  virtual_router = "S"
}

# vrrp-owner/lb1.conf:52, vrrp-owner/lb2.conf:52
vip "T" {
  address        = "10.103.0.1/24"
  interface      = "eth0"
  prefer         = ["lb1", "lb2"]
  preempt        = true
  virtual_router = "T"
}

# All findings:
# mistake in the source (16)
#   vrrp-owner/lb1.conf:28, vrrp-owner/lb2.conf:28  vrrp_instance Q / authentication                   keepalived leaves it out: version 3 has none; take it out
#   vrrp-owner/lb1.conf:29, vrrp-owner/lb2.conf:29  vrrp_instance Q / authentication / auth_type PASS  it is part of authentication
#   vrrp-owner/lb1.conf:30, vrrp-owner/lb2.conf:30  vrrp_instance Q / authentication / auth_pass …     it is part of authentication
#   vrrp-owner/lb1.conf:39, vrrp-owner/lb2.conf:39  vrrp_instance S / authentication                   keepalived leaves it out: strict mode has none; take it out
#   vrrp-owner/lb1.conf:40, vrrp-owner/lb2.conf:40  vrrp_instance S / authentication / auth_type PASS  it is part of authentication
#   vrrp-owner/lb1.conf:41, vrrp-owner/lb2.conf:41  vrrp_instance S / authentication / auth_pass …     it is part of authentication
#   vrrp-owner/lb1.conf:49, vrrp-owner/lb2.conf:49  vrrp_instance T / authentication                   keepalived leaves it out: there is no auth_type; add auth_type PASS on all directors at once, or take the block out
#   vrrp-owner/lb1.conf:50, vrrp-owner/lb2.conf:50  vrrp_instance T / authentication / auth_pass …     it is part of authentication
#
# unsupported (2)
#   vrrp-owner/lb1.conf:8, vrrp-owner/lb2.conf:8  vrrp_instance O / authentication / auth_type AH  auth_type AH is not spoken: neither side would hear the other; use auth_type PASS, or none, on all directors before the nodes are to take over from them
#
# changed meaning (20)
#   vrrp-owner/lb1.conf:4                           vrrp_instance O / virtual_router_id 99          the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   vrrp-owner/lb1.conf:6                           vrrp_instance O / priority 255                  beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254; this director has 255, with which it never gives way; see that it comes to 253 or less before the cluster is to take over
#   vrrp-owner/lb1.conf:6                           vrrp_instance O / priority 255                  it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254
#   vrrp-owner/lb1.conf:15                          vrrp_instance P / virtual_router_id 100         the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   vrrp-owner/lb1.conf:16                          vrrp_instance P / priority 120                  it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 120 at most
#   vrrp-owner/lb1.conf:19, vrrp-owner/lb2.conf:19  vrrp_instance P / authentication / auth_pass …  virtual_router: password; keepalived takes its first 8 characters, and so it was done here
#   vrrp-owner/lb1.conf:25                          vrrp_instance Q / virtual_router_id 101         the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   vrrp-owner/lb1.conf:27                          vrrp_instance Q / priority 120                  it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 120 at most
#   vrrp-owner/lb1.conf:36                          vrrp_instance S / virtual_router_id 102         the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   vrrp-owner/lb1.conf:37, vrrp-owner/lb2.conf:37  vrrp_instance S / strict_mode                   what the RFCs leave out was left out of the virtual router too; but an owner takes in packets for its address (there is no no_accept)
#   vrrp-owner/lb1.conf:38                          vrrp_instance S / priority 120                  it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 120 at most
#   vrrp-owner/lb1.conf:47                          vrrp_instance T / virtual_router_id 103         the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   vrrp-owner/lb1.conf:48                          vrrp_instance T / priority 120                  it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 120 at most
#   vrrp-owner/lb2.conf:6                           vrrp_instance O / priority 100                  it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254
#   vrrp-owner/lb2.conf:16                          vrrp_instance P / priority 90                   it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 120 at most
#   vrrp-owner/lb2.conf:27                          vrrp_instance Q / priority 90                   it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 120 at most
#   vrrp-owner/lb2.conf:38                          vrrp_instance S / priority 90                   it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 120 at most
#   vrrp-owner/lb2.conf:48                          vrrp_instance T / priority 90                   it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 120 at most
#
# ignored: not needed (2)
#   vrrp-owner/lb1.conf:5  vrrp_instance O / state MASTER  it is a hint for the start; `prefer` follows the priorities
#   vrrp-owner/lb2.conf:5  vrrp_instance O / state BACKUP  it is a hint for the start; `prefer` follows the priorities
#
# mapped (60)
#   vrrp-owner/lb1.conf:2, vrrp-owner/lb2.conf:2    vrrp_instance O                                      vip "O"
#   vrrp-owner/lb1.conf:3, vrrp-owner/lb2.conf:3    vrrp_instance O / interface eth0                     vip: interface
#   vrrp-owner/lb1.conf:4, vrrp-owner/lb2.conf:4    vrrp_instance O / virtual_router_id 99               virtual_router: vrid
#   vrrp-owner/lb1.conf:7, vrrp-owner/lb2.conf:7    vrrp_instance O / authentication                     virtual_router: password
#   vrrp-owner/lb1.conf:9, vrrp-owner/lb2.conf:9    vrrp_instance O / authentication / auth_pass …       virtual_router: password
#   vrrp-owner/lb1.conf:11, vrrp-owner/lb2.conf:11  vrrp_instance O / virtual_ipaddress                  vip: address
#   vrrp-owner/lb1.conf:11, vrrp-owner/lb2.conf:11  vrrp_instance O / virtual_ipaddress / 10.99.0.1/24   vip "O": address
#   vrrp-owner/lb1.conf:13, vrrp-owner/lb2.conf:13  vrrp_instance P                                      vip "P"
#   vrrp-owner/lb1.conf:14, vrrp-owner/lb2.conf:14  vrrp_instance P / interface eth0                     vip: interface
#   vrrp-owner/lb1.conf:15, vrrp-owner/lb2.conf:15  vrrp_instance P / virtual_router_id 100              virtual_router: vrid
#   vrrp-owner/lb1.conf:17, vrrp-owner/lb2.conf:17  vrrp_instance P / authentication                     virtual_router: password
#   vrrp-owner/lb1.conf:18, vrrp-owner/lb2.conf:18  vrrp_instance P / authentication / auth_type PASS    virtual_router: password
#   vrrp-owner/lb1.conf:21, vrrp-owner/lb2.conf:21  vrrp_instance P / virtual_ipaddress                  vip: address
#   vrrp-owner/lb1.conf:21, vrrp-owner/lb2.conf:21  vrrp_instance P / virtual_ipaddress / 10.100.0.1/24  vip "P": address
#   vrrp-owner/lb1.conf:23, vrrp-owner/lb2.conf:23  vrrp_instance Q                                      vip "Q"
#   vrrp-owner/lb1.conf:24, vrrp-owner/lb2.conf:24  vrrp_instance Q / interface eth0                     vip: interface
#   vrrp-owner/lb1.conf:25, vrrp-owner/lb2.conf:25  vrrp_instance Q / virtual_router_id 101              virtual_router: vrid
#   vrrp-owner/lb1.conf:26, vrrp-owner/lb2.conf:26  vrrp_instance Q / version 3                          virtual_router: version
#   vrrp-owner/lb1.conf:32, vrrp-owner/lb2.conf:32  vrrp_instance Q / virtual_ipaddress                  vip: address
#   vrrp-owner/lb1.conf:32, vrrp-owner/lb2.conf:32  vrrp_instance Q / virtual_ipaddress / 10.101.0.1/24  vip "Q": address
#   vrrp-owner/lb1.conf:34, vrrp-owner/lb2.conf:34  vrrp_instance S                                      vip "S"
#   vrrp-owner/lb1.conf:35, vrrp-owner/lb2.conf:35  vrrp_instance S / interface eth0                     vip: interface
#   vrrp-owner/lb1.conf:36, vrrp-owner/lb2.conf:36  vrrp_instance S / virtual_router_id 102              virtual_router: vrid
#   vrrp-owner/lb1.conf:43, vrrp-owner/lb2.conf:43  vrrp_instance S / virtual_ipaddress                  vip: address
#   vrrp-owner/lb1.conf:43, vrrp-owner/lb2.conf:43  vrrp_instance S / virtual_ipaddress / 10.102.0.1/24  vip "S": address
#   vrrp-owner/lb1.conf:45, vrrp-owner/lb2.conf:45  vrrp_instance T                                      vip "T"
#   vrrp-owner/lb1.conf:46, vrrp-owner/lb2.conf:46  vrrp_instance T / interface eth0                     vip: interface
#   vrrp-owner/lb1.conf:47, vrrp-owner/lb2.conf:47  vrrp_instance T / virtual_router_id 103              virtual_router: vrid
#   vrrp-owner/lb1.conf:52, vrrp-owner/lb2.conf:52  vrrp_instance T / virtual_ipaddress                  vip: address
#   vrrp-owner/lb1.conf:52, vrrp-owner/lb2.conf:52  vrrp_instance T / virtual_ipaddress / 10.103.0.1/24  vip "T": address
#
