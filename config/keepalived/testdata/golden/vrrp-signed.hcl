# Made from keepalived.conf by `quorate import keepalived`.
#
# changed meaning:
#   vrrp-signed/lb1.conf:7: vrrp_instance edge / virtual_router_id 90: the directors send the adverts to each other alone, and the nodes would not hear them; add the addresses of the nodes to unicast_peer on all directors before
#   vrrp-signed/lb1.conf:8, vrrp-signed/lb2.conf:8: priority: it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 130 at most

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# vrrp-signed/lb1.conf:7, vrrp-signed/lb2.conf:7, vrrp-signed/lb1.conf:17, vrrp-signed/lb1.conf:14, and 16 more
virtual_router "edge" {
  vrid      = 90
  interval  = "500ms"
  hmac_keys = ["2:612070617373706872617365206f66206d6f7265207468616e2033322062797465732c20666f72207468652074657374", "1:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"]
  hmac_mode = "permissive"
  peers     = ["10.90.0.2", "10.90.0.3"]
  unicast   = true
}

# A virtual IP address, which one node at a time owns.
# vrrp-signed/lb1.conf:22, vrrp-signed/lb2.conf:22
vip "edge" {
  address        = "10.90.0.1/24"
  interface      = "bond0"
  prefer         = ["lb1", "lb2"]
  preempt        = true
  virtual_router = "edge"
}

# All findings:
# changed meaning (3)
#   vrrp-signed/lb1.conf:7  vrrp_instance edge / virtual_router_id 90  the directors send the adverts to each other alone, and the nodes would not hear them; add the addresses of the nodes to unicast_peer on all directors before
#   vrrp-signed/lb1.conf:8  vrrp_instance edge / priority 130          it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 130 at most
#   vrrp-signed/lb2.conf:8  vrrp_instance edge / priority 110          it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 130 at most
#
# ignored: not needed (2)
#   vrrp-signed/lb1.conf:18, vrrp-signed/lb2.conf:18  vrrp_instance edge / auth_hmac / anti_replay time  it is so
#
# mapped (32)
#   vrrp-signed/lb1.conf:2, vrrp-signed/lb2.conf:2                                                      global_defs                                            cluster, and notify blocks: see what stands in it
#   vrrp-signed/lb1.conf:3, vrrp-signed/lb2.conf:3                                                      global_defs / vrrp_version 3                           virtual_router: version
#   vrrp-signed/lb1.conf:5, vrrp-signed/lb2.conf:5                                                      vrrp_instance edge                                     vip "edge"
#   vrrp-signed/lb1.conf:6, vrrp-signed/lb2.conf:6                                                      vrrp_instance edge / interface bond0                   vip: interface
#   vrrp-signed/lb1.conf:7, vrrp-signed/lb2.conf:7                                                      vrrp_instance edge / virtual_router_id 90              virtual_router: vrid
#   vrrp-signed/lb1.conf:9, vrrp-signed/lb2.conf:9                                                      vrrp_instance edge / advert_int 0.5                    virtual_router: interval
#   vrrp-signed/lb1.conf:10                                                                             vrrp_instance edge / unicast_src_ip 10.90.0.2          virtual_router: peers
#   vrrp-signed/lb1.conf:11, vrrp-signed/lb2.conf:11                                                    vrrp_instance edge / unicast_peer                      virtual_router: unicast
#   vrrp-signed/lb1.conf:12                                                                             vrrp_instance edge / unicast_peer / 10.90.0.3          virtual_router: peers
#   vrrp-signed/lb1.conf:14, vrrp-signed/lb2.conf:14                                                    vrrp_instance edge / auth_hmac                         virtual_router: hmac_keys
#   vrrp-signed/lb1.conf:15, vrrp-signed/lb1.conf:16, vrrp-signed/lb2.conf:15, vrrp-signed/lb2.conf:16  vrrp_instance edge / auth_hmac / key …                 virtual_router: hmac_keys
#   vrrp-signed/lb1.conf:17, vrrp-signed/lb2.conf:17                                                    vrrp_instance edge / auth_hmac / active_key 2          virtual_router: hmac_keys
#   vrrp-signed/lb1.conf:19, vrrp-signed/lb2.conf:19                                                    vrrp_instance edge / auth_hmac / mode permissive       virtual_router: hmac_mode
#   vrrp-signed/lb1.conf:21, vrrp-signed/lb2.conf:21                                                    vrrp_instance edge / virtual_ipaddress                 vip: address
#   vrrp-signed/lb1.conf:22, vrrp-signed/lb2.conf:22                                                    vrrp_instance edge / virtual_ipaddress / 10.90.0.1/24  vip "edge": address
#   vrrp-signed/lb2.conf:10                                                                             vrrp_instance edge / unicast_src_ip 10.90.0.3          virtual_router: peers
#   vrrp-signed/lb2.conf:12                                                                             vrrp_instance edge / unicast_peer / 10.90.0.2          virtual_router: peers
#
