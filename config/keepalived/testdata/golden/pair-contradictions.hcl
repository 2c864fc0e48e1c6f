# Made from keepalived.conf by `quorate import keepalived`.
#
# mistake in the source:
#   pair-contradictions/lb1.conf:14: vrrp_instance A / virtual_ipaddress / 198.51.100.11/24: 198.51.100.11 is not among the addresses of vrrp_instance A of lb2 (pair-contradictions/lb2.conf:1): keepalived drops adverts with another list; make the directors agree, then import again
#   pair-contradictions/lb2.conf:1: vrrp_instance A / nopreempt: only some directors have nopreempt; what lb1 says was taken, which has the highest priority; make the directors agree, then import again
#   pair-contradictions/lb2.conf:4: vrrp_instance A / virtual_router_id: virtual_router_id is 11, and 10 on lb1 (pair-contradictions/lb1.conf:5): each of them takes the address for its own, and both have it; that one was taken; make the directors agree, then import again
#   pair-contradictions/lb2.conf:6: vrrp_instance A / advert_int: advert_int is 2, and 1 on lb1 (pair-contradictions/lb1.conf:7): keepalived drops the adverts of the other, or takes it for dead too early; that one was taken; make the directors agree, then import again
#   pair-contradictions/lb2.conf:9: vrrp_instance A / authentication / auth_pass …: auth_pass is not that of lb1 (pair-contradictions/lb1.conf:10): keepalived drops the adverts of the other, and both have the address; that one was taken; make the directors agree, then import again
#   pair-contradictions/lb2.conf:12: vrrp_instance A / virtual_ipaddress / 198.51.100.10/25: lb1 has it as 198.51.100.10/24 (pair-contradictions/lb1.conf:13); that one was taken; make the directors agree, then import again
#   pair-contradictions/lb2.conf:13: vrrp_instance A / virtual_ipaddress / 198.51.100.12/24: 198.51.100.12 is not among the addresses of vrrp_instance A of lb1 (pair-contradictions/lb1.conf:1): keepalived drops adverts with another list; make the directors agree, then import again
#
# changed meaning:
#   pair-contradictions/lb1.conf:3: vrrp_instance A / nopreempt: preempt = false, of the VIPs and of the virtual_router: a director of keepalived that has the addresses keeps them; take it out of the virtual_router before the takeover, or stop that director then
#   pair-contradictions/lb1.conf:4, pair-contradictions/lb2.conf:3: interface: the directors have different interfaces (ens3, eth0), so that vip "198.51.100.10" names none: each node takes the one that has the subnet; give the address the prefix length of its subnet, if it has not
#   pair-contradictions/lb1.conf:5, pair-contradictions/lb1.conf:19: virtual_router_id: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   pair-contradictions/lb1.conf:6, pair-contradictions/lb2.conf:5: vrrp_instance A / priority 100: it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 100 at most
#   pair-contradictions/lb1.conf:17: vrrp_instance B: lb2 has no such instance, and could not own it; here every director may; nothing, if it can; otherwise add a node_check that fails there
#   pair-contradictions/lb1.conf:20: vrrp_instance B / priority 120: it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 120 at most
#   pair-contradictions/lb2.conf:5: vrrp_instance A / priority 100: lb1 has the same priority, 100: in keepalived the higher IP address wins; the order of the files was taken for prefer; look whether it is the order that is wanted

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# VIPs that always have the same owner, and where they go.
# pair-contradictions/lb1.conf:1, pair-contradictions/lb2.conf:1
group "A" {
  prefer = ["lb1", "lb2"]
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# pair-contradictions/lb1.conf:5, pair-contradictions/lb2.conf:4, pair-contradictions/lb1.conf:9, pair-contradictions/lb1.conf:10, and 6 more
virtual_router "A" {
  vrid     = 10
  version  = 2
  password = "first"
  preempt  = false
}

# pair-contradictions/lb1.conf:19, pair-contradictions/lb1.conf:21
virtual_router "B" {
  vrid = 20
}

# A virtual IP address, which one node at a time owns.
# pair-contradictions/lb1.conf:13, pair-contradictions/lb2.conf:12
vip "198.51.100.10" {
  address        = "198.51.100.10/24"
  group          = "A"
  virtual_router = "A"
}

# pair-contradictions/lb1.conf:14
vip "198.51.100.11" {
  address        = "198.51.100.11/24"
  group          = "A"
  virtual_router = "A"
}

# pair-contradictions/lb2.conf:13
vip "198.51.100.12" {
  address        = "198.51.100.12/24"
  group          = "A"
  virtual_router = "A"
}

# pair-contradictions/lb1.conf:23
vip "B" {
  address        = "198.51.100.20/24"
  interface      = "eth1"
  prefer         = ["lb1"]
  preempt        = true
  virtual_router = "B"
}

# All findings:
# mistake in the source (7)
#   pair-contradictions/lb1.conf:14  vrrp_instance A / virtual_ipaddress / 198.51.100.11/24  198.51.100.11 is not among the addresses of vrrp_instance A of lb2 (pair-contradictions/lb2.conf:1): keepalived drops adverts with another list; make the directors agree, then import again
#   pair-contradictions/lb2.conf:1   vrrp_instance A / nopreempt                             only some directors have nopreempt; what lb1 says was taken, which has the highest priority; make the directors agree, then import again
#   pair-contradictions/lb2.conf:4   vrrp_instance A / virtual_router_id                     virtual_router_id is 11, and 10 on lb1 (pair-contradictions/lb1.conf:5): each of them takes the address for its own, and both have it; that one was taken; make the directors agree, then import again
#   pair-contradictions/lb2.conf:6   vrrp_instance A / advert_int                            advert_int is 2, and 1 on lb1 (pair-contradictions/lb1.conf:7): keepalived drops the adverts of the other, or takes it for dead too early; that one was taken; make the directors agree, then import again
#   pair-contradictions/lb2.conf:9   vrrp_instance A / authentication / auth_pass …          auth_pass is not that of lb1 (pair-contradictions/lb1.conf:10): keepalived drops the adverts of the other, and both have the address; that one was taken; make the directors agree, then import again
#   pair-contradictions/lb2.conf:12  vrrp_instance A / virtual_ipaddress / 198.51.100.10/25  lb1 has it as 198.51.100.10/24 (pair-contradictions/lb1.conf:13); that one was taken; make the directors agree, then import again
#   pair-contradictions/lb2.conf:13  vrrp_instance A / virtual_ipaddress / 198.51.100.12/24  198.51.100.12 is not among the addresses of vrrp_instance A of lb1 (pair-contradictions/lb1.conf:1): keepalived drops adverts with another list; make the directors agree, then import again
#
# changed meaning (10)
#   pair-contradictions/lb1.conf:3                                  vrrp_instance A / nopreempt             preempt = false, of the VIPs and of the virtual_router: a director of keepalived that has the addresses keeps them; take it out of the virtual_router before the takeover, or stop that director then
#   pair-contradictions/lb1.conf:4                                  vrrp_instance A / interface eth0        the directors have different interfaces (ens3, eth0), so that vip "198.51.100.10" names none: each node takes the one that has the subnet; give the address the prefix length of its subnet, if it has not
#   pair-contradictions/lb1.conf:5                                  vrrp_instance A / virtual_router_id 10  the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   pair-contradictions/lb1.conf:6, pair-contradictions/lb2.conf:5  vrrp_instance A / priority 100          it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 100 at most
#   pair-contradictions/lb1.conf:17                                 vrrp_instance B                         lb2 has no such instance, and could not own it; here every director may; nothing, if it can; otherwise add a node_check that fails there
#   pair-contradictions/lb1.conf:19                                 vrrp_instance B / virtual_router_id 20  the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   pair-contradictions/lb1.conf:20                                 vrrp_instance B / priority 120          it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 120 at most
#   pair-contradictions/lb2.conf:3                                  vrrp_instance A / interface ens3        the directors have different interfaces (ens3, eth0), so that vip "198.51.100.10" names none: each node takes the one that has the subnet; give the address the prefix length of its subnet, if it has not
#   pair-contradictions/lb2.conf:5                                  vrrp_instance A / priority 100          lb1 has the same priority, 100: in keepalived the higher IP address wins; the order of the files was taken for prefer; look whether it is the order that is wanted
#
# ignored: not needed (2)
#   pair-contradictions/lb1.conf:2, pair-contradictions/lb2.conf:2  vrrp_instance A / state BACKUP  it is a hint for the start; `prefer` follows the priorities
#
# mapped (24)
#   pair-contradictions/lb1.conf:1, pair-contradictions/lb2.conf:1    vrrp_instance A                                         group "A"
#   pair-contradictions/lb1.conf:5                                    vrrp_instance A / virtual_router_id 10                  virtual_router: vrid
#   pair-contradictions/lb1.conf:7                                    vrrp_instance A / advert_int 1                          virtual_router: interval
#   pair-contradictions/lb1.conf:8, pair-contradictions/lb2.conf:7    vrrp_instance A / authentication                        virtual_router: password
#   pair-contradictions/lb1.conf:9, pair-contradictions/lb2.conf:8    vrrp_instance A / authentication / auth_type PASS       virtual_router: password
#   pair-contradictions/lb1.conf:10, pair-contradictions/lb2.conf:9   vrrp_instance A / authentication / auth_pass …          virtual_router: password
#   pair-contradictions/lb1.conf:12, pair-contradictions/lb2.conf:11  vrrp_instance A / virtual_ipaddress                     vip: address
#   pair-contradictions/lb1.conf:13                                   vrrp_instance A / virtual_ipaddress / 198.51.100.10/24  vip "198.51.100.10": address
#   pair-contradictions/lb1.conf:14                                   vrrp_instance A / virtual_ipaddress / 198.51.100.11/24  vip "198.51.100.11": address
#   pair-contradictions/lb1.conf:17                                   vrrp_instance B                                         vip "B"
#   pair-contradictions/lb1.conf:18                                   vrrp_instance B / interface eth1                        vip: interface
#   pair-contradictions/lb1.conf:19                                   vrrp_instance B / virtual_router_id 20                  virtual_router: vrid
#   pair-contradictions/lb1.conf:21                                   vrrp_instance B / version 3                             virtual_router: version
#   pair-contradictions/lb1.conf:22                                   vrrp_instance B / virtual_ipaddress                     vip: address
#   pair-contradictions/lb1.conf:23                                   vrrp_instance B / virtual_ipaddress / 198.51.100.20/24  vip "B": address
#   pair-contradictions/lb2.conf:4                                    vrrp_instance A / virtual_router_id 11                  virtual_router: vrid
#   pair-contradictions/lb2.conf:6                                    vrrp_instance A / advert_int 2                          virtual_router: interval
#   pair-contradictions/lb2.conf:12                                   vrrp_instance A / virtual_ipaddress / 198.51.100.10/25  vip "198.51.100.10": address
#   pair-contradictions/lb2.conf:13                                   vrrp_instance A / virtual_ipaddress / 198.51.100.12/24  vip "198.51.100.12": address
#
