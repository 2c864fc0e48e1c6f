# Made from keepalived.conf by `quorate import keepalived`.
#
# mistake in the source:
#   vrrp-differs/lb1.conf:19: vrrp_instance B / unicast_peer: 10.94.0.3, from which lb2 sends (vrrp-differs/lb2.conf:15), is not among its peers, so that lb2 does not hear it and both have the address; make the directors agree, then import again
#   vrrp-differs/lb2.conf:1: vrrp_instance A / version: version is 2, and 3 on lb1 (vrrp-differs/lb1.conf:2): keepalived drops the adverts of the other, and both have the address; that one was taken; make the directors agree, then import again
#   vrrp-differs/lb2.conf:1: vrrp_instance A / v3_checksum_as_v2: v3_checksum_as_v2 is pseudo-header, and message-only on lb1 (vrrp-differs/lb1.conf:9): the one without message-only drops the adverts of the other; that one was taken; make the directors agree, then import again
#   vrrp-differs/lb2.conf:1: vrrp_instance A / use_vmac: use_vmac is false, and true on lb1 (vrrp-differs/lb1.conf:8): the MAC of the address changes when it moves, which use_vmac is to prevent; that one was taken; make the directors agree, then import again
#   vrrp-differs/lb2.conf:5: vrrp_instance A / mcast_dst_ip: mcast_dst_ip is 224.0.0.200, and the usual group on lb1 (vrrp-differs/lb1.conf:4): neither hears the other; that one was taken; make the directors agree, then import again
#   vrrp-differs/lb2.conf:28: vrrp_instance C / auth_hmac: auth_hmac is not that of lb1 (vrrp-differs/lb1.conf:30): one of them does not know the key that the other signs with; that one was taken; make the directors agree, then import again
#   vrrp-differs/lb2.conf:31: vrrp_instance C / auth_hmac / mode: mode is receive-only, and enforce on lb1 (vrrp-differs/lb1.conf:26): one of them may drop what the other sends; that one was taken; make the directors agree, then import again
#
# changed meaning:
#   vrrp-differs/lb1.conf:6, vrrp-differs/lb1.conf:28: virtual_router_id: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   vrrp-differs/lb1.conf:7, vrrp-differs/lb1.conf:17, vrrp-differs/lb1.conf:29, vrrp-differs/lb2.conf:4 and 2 more: priority: it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 150 at most
#   vrrp-differs/lb1.conf:16: vrrp_instance B / virtual_router_id 94: the directors send the adverts to each other alone, and the nodes would not hear them; add the addresses of the nodes to unicast_peer on all directors before

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# vrrp-differs/lb1.conf:6, vrrp-differs/lb2.conf:3, vrrp-differs/lb1.conf:9, vrrp-differs/lb1.conf:8, and 1 more
virtual_router "A" {
  vrid     = 93
  vmac     = true
  checksum = "message-only"
}

# vrrp-differs/lb1.conf:16, vrrp-differs/lb2.conf:13, vrrp-differs/lb1.conf:20, vrrp-differs/lb1.conf:19, and 5 more
virtual_router "B" {
  vrid    = 94
  peers   = ["10.94.0.2", "10.94.0.3", "10.94.0.4"]
  unicast = true
}

# vrrp-differs/lb1.conf:28, vrrp-differs/lb2.conf:26, vrrp-differs/lb1.conf:32, vrrp-differs/lb1.conf:30, and 6 more
virtual_router "C" {
  vrid      = 95
  hmac_keys = ["1:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"]
}

# A virtual IP address, which one node at a time owns.
# vrrp-differs/lb1.conf:11, vrrp-differs/lb2.conf:7
vip "A" {
  address        = "10.93.0.1/24"
  interface      = "eth0"
  prefer         = ["lb1", "lb2"]
  preempt        = true
  virtual_router = "A"
}

# vrrp-differs/lb1.conf:23, vrrp-differs/lb2.conf:20
vip "B" {
  address        = "10.94.0.1/24"
  interface      = "eth0"
  prefer         = ["lb1", "lb2"]
  preempt        = true
  virtual_router = "B"
}

# vrrp-differs/lb1.conf:35, vrrp-differs/lb2.conf:34
vip "C" {
  address        = "10.95.0.1/24"
  interface      = "eth0"
  prefer         = ["lb1", "lb2"]
  preempt        = true
  virtual_router = "C"
}

# All findings:
# mistake in the source (7)
#   vrrp-differs/lb1.conf:19  vrrp_instance B / unicast_peer       10.94.0.3, from which lb2 sends (vrrp-differs/lb2.conf:15), is not among its peers, so that lb2 does not hear it and both have the address; make the directors agree, then import again
#   vrrp-differs/lb2.conf:1   vrrp_instance A / version            version is 2, and 3 on lb1 (vrrp-differs/lb1.conf:2): keepalived drops the adverts of the other, and both have the address; that one was taken; make the directors agree, then import again
#   vrrp-differs/lb2.conf:1   vrrp_instance A / v3_checksum_as_v2  v3_checksum_as_v2 is pseudo-header, and message-only on lb1 (vrrp-differs/lb1.conf:9): the one without message-only drops the adverts of the other; that one was taken; make the directors agree, then import again
#   vrrp-differs/lb2.conf:1   vrrp_instance A / use_vmac           use_vmac is false, and true on lb1 (vrrp-differs/lb1.conf:8): the MAC of the address changes when it moves, which use_vmac is to prevent; that one was taken; make the directors agree, then import again
#   vrrp-differs/lb2.conf:5   vrrp_instance A / mcast_dst_ip       mcast_dst_ip is 224.0.0.200, and the usual group on lb1 (vrrp-differs/lb1.conf:4): neither hears the other; that one was taken; make the directors agree, then import again
#   vrrp-differs/lb2.conf:28  vrrp_instance C / auth_hmac          auth_hmac is not that of lb1 (vrrp-differs/lb1.conf:30): one of them does not know the key that the other signs with; that one was taken; make the directors agree, then import again
#   vrrp-differs/lb2.conf:31  vrrp_instance C / auth_hmac / mode   mode is receive-only, and enforce on lb1 (vrrp-differs/lb1.conf:26): one of them may drop what the other sends; that one was taken; make the directors agree, then import again
#
# changed meaning (9)
#   vrrp-differs/lb1.conf:6   vrrp_instance A / virtual_router_id 93  the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   vrrp-differs/lb1.conf:7   vrrp_instance A / priority 150          it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 150 at most
#   vrrp-differs/lb1.conf:16  vrrp_instance B / virtual_router_id 94  the directors send the adverts to each other alone, and the nodes would not hear them; add the addresses of the nodes to unicast_peer on all directors before
#   vrrp-differs/lb1.conf:17  vrrp_instance B / priority 150          it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 150 at most
#   vrrp-differs/lb1.conf:28  vrrp_instance C / virtual_router_id 95  the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   vrrp-differs/lb1.conf:29  vrrp_instance C / priority 150          it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 150 at most
#   vrrp-differs/lb2.conf:4   vrrp_instance A / priority 100          it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 150 at most
#   vrrp-differs/lb2.conf:14  vrrp_instance B / priority 100          it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 150 at most
#   vrrp-differs/lb2.conf:27  vrrp_instance C / priority 100          it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 150 at most
#
# mapped (50)
#   vrrp-differs/lb1.conf:1                             global_defs                                         cluster, and notify blocks: see what stands in it
#   vrrp-differs/lb1.conf:2                             global_defs / vrrp_version 3                        virtual_router: version
#   vrrp-differs/lb1.conf:4, vrrp-differs/lb2.conf:1    vrrp_instance A                                     vip "A"
#   vrrp-differs/lb1.conf:5, vrrp-differs/lb2.conf:2    vrrp_instance A / interface eth0                    vip: interface
#   vrrp-differs/lb1.conf:6, vrrp-differs/lb2.conf:3    vrrp_instance A / virtual_router_id 93              virtual_router: vrid
#   vrrp-differs/lb1.conf:8                             vrrp_instance A / use_vmac                          virtual_router: vmac
#   vrrp-differs/lb1.conf:9                             vrrp_instance A / v3_checksum_as_v2 on              virtual_router: checksum
#   vrrp-differs/lb1.conf:10, vrrp-differs/lb2.conf:6   vrrp_instance A / virtual_ipaddress                 vip: address
#   vrrp-differs/lb1.conf:11, vrrp-differs/lb2.conf:7   vrrp_instance A / virtual_ipaddress / 10.93.0.1/24  vip "A": address
#   vrrp-differs/lb1.conf:14, vrrp-differs/lb2.conf:10  vrrp_instance B                                     vip "B"
#   vrrp-differs/lb1.conf:15, vrrp-differs/lb2.conf:11  vrrp_instance B / interface eth0                    vip: interface
#   vrrp-differs/lb1.conf:16, vrrp-differs/lb2.conf:13  vrrp_instance B / virtual_router_id 94              virtual_router: vrid
#   vrrp-differs/lb1.conf:18                            vrrp_instance B / unicast_src_ip 10.94.0.2          virtual_router: peers
#   vrrp-differs/lb1.conf:19, vrrp-differs/lb2.conf:16  vrrp_instance B / unicast_peer                      virtual_router: unicast
#   vrrp-differs/lb1.conf:20                            vrrp_instance B / unicast_peer / 10.94.0.4          virtual_router: peers
#   vrrp-differs/lb1.conf:22, vrrp-differs/lb2.conf:19  vrrp_instance B / virtual_ipaddress                 vip: address
#   vrrp-differs/lb1.conf:23, vrrp-differs/lb2.conf:20  vrrp_instance B / virtual_ipaddress / 10.94.0.1/24  vip "B": address
#   vrrp-differs/lb1.conf:26, vrrp-differs/lb2.conf:23  vrrp_instance C                                     vip "C"
#   vrrp-differs/lb1.conf:27, vrrp-differs/lb2.conf:24  vrrp_instance C / interface eth0                    vip: interface
#   vrrp-differs/lb1.conf:28, vrrp-differs/lb2.conf:26  vrrp_instance C / virtual_router_id 95              virtual_router: vrid
#   vrrp-differs/lb1.conf:30, vrrp-differs/lb2.conf:28  vrrp_instance C / auth_hmac                         virtual_router: hmac_keys
#   vrrp-differs/lb1.conf:31, vrrp-differs/lb2.conf:29  vrrp_instance C / auth_hmac / key …                 virtual_router: hmac_keys
#   vrrp-differs/lb1.conf:32, vrrp-differs/lb2.conf:30  vrrp_instance C / auth_hmac / active_key 1          virtual_router: hmac_keys
#   vrrp-differs/lb1.conf:34, vrrp-differs/lb2.conf:33  vrrp_instance C / virtual_ipaddress                 vip: address
#   vrrp-differs/lb1.conf:35, vrrp-differs/lb2.conf:34  vrrp_instance C / virtual_ipaddress / 10.95.0.1/24  vip "C": address
#   vrrp-differs/lb2.conf:5                             vrrp_instance A / mcast_dst_ip 224.0.0.200          virtual_router: group
#   vrrp-differs/lb2.conf:12                            vrrp_instance B / version 3                         virtual_router: version
#   vrrp-differs/lb2.conf:15                            vrrp_instance B / unicast_src_ip 10.94.0.3          virtual_router: peers
#   vrrp-differs/lb2.conf:17                            vrrp_instance B / unicast_peer / 10.94.0.2          virtual_router: peers
#   vrrp-differs/lb2.conf:25                            vrrp_instance C / version 3                         virtual_router: version
#   vrrp-differs/lb2.conf:31                            vrrp_instance C / auth_hmac / mode receive-only     virtual_router: hmac_mode
#
