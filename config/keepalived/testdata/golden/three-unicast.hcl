# Made from keepalived.conf by `quorate import keepalived`.
#
# unsupported:
#   three-unicast/lb1.conf:29, three-unicast/lb2.conf:29, three-unicast/lb3.conf:29: vrrp_instance kube / virtual_ipaddress / 10.9.0.10/24 dev ens192 label ens192:vip: an address has a prefix length and an interface alone; left out: label ens192:vip; look whether something relies on it
#
# changed meaning:
#   three-unicast/lb1.conf:20: vrrp_instance kube / virtual_router_id 60: the directors send the adverts to each other alone, and the nodes would not hear them; add the addresses of the nodes to unicast_peer on all directors before
#   three-unicast/lb1.conf:21, three-unicast/lb2.conf:21, three-unicast/lb3.conf:21: priority: it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 103 at most
#   three-unicast/lb1.conf:26, three-unicast/lb2.conf:26: vrrp_instance kube / unicast_peer / 10.9.0.13 min_ttl 255 max_ttl 255: virtual_router: peers; adverts of IPv4 are heard with a TTL of 255 alone, those of IPv6 from 64 on; look whether there are routers between that count it down
#   three-unicast/lb3.conf:26: vrrp_instance kube / unicast_peer / 10.9.0.12 min_ttl 255 max_ttl 255: virtual_router: peers; adverts of IPv4 are heard with a TTL of 255 alone, those of IPv6 from 64 on; look whether there are routers between that count it down

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# three-unicast/lb1.conf:20, three-unicast/lb2.conf:20, three-unicast/lb3.conf:20, three-unicast/lb1.conf:22, and 14 more
virtual_router "kube" {
  vrid     = 60
  interval = "500ms"
  peers    = ["10.9.0.11", "10.9.0.12", "10.9.0.13"]
  unicast  = true
}

# A virtual IP address, which one node at a time owns.
# three-unicast/lb1.conf:29, three-unicast/lb2.conf:29, three-unicast/lb3.conf:29
vip "kube" {
  address        = "10.9.0.10/24"
  interface      = "ens192"
  prefer         = ["lb1", "lb2", "lb3"]
  preempt        = true
  virtual_router = "kube"
}

# What a director has to have in order to own VIPs, or to be preferred as their owner; each director checks it for itself. Checks that ask over the network ask 127.0.0.1, at the `port` that they name. It passes on a node when all checks in it do.
# three-unicast/lb1.conf:9, three-unicast/lb2.conf:9, three-unicast/lb3.conf:9
node_check "api" {
  weight = -30
  vips   = ["kube"]

  check "script" {
    interval = "3s"
    timeout  = "2s"
    rise     = 2
    fall     = 3
    command  = ["/usr/local/bin/api-alive", "-p", "6443"]
    user     = "nobody"
  }
}

# All findings:
# unsupported (3)
#   three-unicast/lb1.conf:29, three-unicast/lb2.conf:29, three-unicast/lb3.conf:29  vrrp_instance kube / virtual_ipaddress / 10.9.0.10/24 dev ens192 label ens192:vip  an address has a prefix length and an interface alone; left out: label ens192:vip; look whether something relies on it
#
# changed meaning (7)
#   three-unicast/lb1.conf:20                             vrrp_instance kube / virtual_router_id 60                              the directors send the adverts to each other alone, and the nodes would not hear them; add the addresses of the nodes to unicast_peer on all directors before
#   three-unicast/lb1.conf:21                             vrrp_instance kube / priority 103                                      it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 103 at most
#   three-unicast/lb1.conf:26, three-unicast/lb2.conf:26  vrrp_instance kube / unicast_peer / 10.9.0.13 min_ttl 255 max_ttl 255  virtual_router: peers; adverts of IPv4 are heard with a TTL of 255 alone, those of IPv6 from 64 on; look whether there are routers between that count it down
#   three-unicast/lb2.conf:21                             vrrp_instance kube / priority 102                                      it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 103 at most
#   three-unicast/lb3.conf:21                             vrrp_instance kube / priority 101                                      it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 103 at most
#   three-unicast/lb3.conf:26                             vrrp_instance kube / unicast_peer / 10.9.0.12 min_ttl 255 max_ttl 255  virtual_router: peers; adverts of IPv4 are heard with a TTL of 255 alone, those of IPv6 from 64 on; look whether there are routers between that count it down
#
# ignored: not needed (15)
#   three-unicast/lb1.conf:2                                                         global_defs / router_id n1                 a node has the name of its agent, lb1
#   three-unicast/lb1.conf:4, three-unicast/lb2.conf:4, three-unicast/lb3.conf:4     global_defs / vrrp_garp_master_refresh 60  the new owner announces an address at once, several times, and again while it has it, without being told
#   three-unicast/lb1.conf:5, three-unicast/lb2.conf:5, three-unicast/lb3.conf:5     global_defs / vrrp_check_unicast_src       adverts count only when they come from one of peers
#   three-unicast/lb1.conf:6, three-unicast/lb2.conf:6, three-unicast/lb3.conf:6     global_defs / enable_script_security       security is always on: what root runs may be written by root alone
#   three-unicast/lb1.conf:18, three-unicast/lb2.conf:18, three-unicast/lb3.conf:18  vrrp_instance kube / state BACKUP          it is a hint for the start; `prefer` follows the priorities
#   three-unicast/lb2.conf:2                                                         global_defs / router_id n2                 a node has the name of its agent, lb2
#   three-unicast/lb3.conf:2                                                         global_defs / router_id n3                 a node has the name of its agent, lb3
#
# mapped (60)
#   three-unicast/lb1.conf:1, three-unicast/lb2.conf:1, three-unicast/lb3.conf:1     global_defs                                                  cluster, and notify blocks: see what stands in it
#   three-unicast/lb1.conf:3, three-unicast/lb2.conf:3, three-unicast/lb3.conf:3     global_defs / vrrp_version 3                                 virtual_router: version
#   three-unicast/lb1.conf:7, three-unicast/lb2.conf:7, three-unicast/lb3.conf:7     global_defs / script_user nobody                             user
#   three-unicast/lb1.conf:9, three-unicast/lb2.conf:9, three-unicast/lb3.conf:9     vrrp_script api                                              node_check
#   three-unicast/lb1.conf:10, three-unicast/lb2.conf:10, three-unicast/lb3.conf:10  vrrp_script api / script "/usr/local/bin/api-alive -p 6443"  check "script": command
#   three-unicast/lb1.conf:11, three-unicast/lb2.conf:11, three-unicast/lb3.conf:11  vrrp_script api / interval 3                                 check: interval
#   three-unicast/lb1.conf:12, three-unicast/lb2.conf:12, three-unicast/lb3.conf:12  vrrp_script api / timeout 2                                  check: timeout
#   three-unicast/lb1.conf:13, three-unicast/lb2.conf:13, three-unicast/lb3.conf:13  vrrp_script api / rise 2                                     check: rise
#   three-unicast/lb1.conf:14, three-unicast/lb2.conf:14, three-unicast/lb3.conf:14  vrrp_script api / fall 3                                     check: fall
#   three-unicast/lb1.conf:15, three-unicast/lb2.conf:15, three-unicast/lb3.conf:15  vrrp_script api / weight -30                                 node_check "api": weight = -30
#   three-unicast/lb1.conf:17, three-unicast/lb2.conf:17, three-unicast/lb3.conf:17  vrrp_instance kube                                           vip "kube"
#   three-unicast/lb1.conf:19, three-unicast/lb2.conf:19, three-unicast/lb3.conf:19  vrrp_instance kube / interface ens192                        vip: interface
#   three-unicast/lb1.conf:20, three-unicast/lb2.conf:20, three-unicast/lb3.conf:20  vrrp_instance kube / virtual_router_id 60                    virtual_router: vrid
#   three-unicast/lb1.conf:22, three-unicast/lb2.conf:22, three-unicast/lb3.conf:22  vrrp_instance kube / advert_int 0.5                          virtual_router: interval
#   three-unicast/lb1.conf:23                                                        vrrp_instance kube / unicast_src_ip 10.9.0.11                virtual_router: peers
#   three-unicast/lb1.conf:24, three-unicast/lb2.conf:24, three-unicast/lb3.conf:24  vrrp_instance kube / unicast_peer                            virtual_router: unicast
#   three-unicast/lb1.conf:25                                                        vrrp_instance kube / unicast_peer / 10.9.0.12                virtual_router: peers
#   three-unicast/lb1.conf:28, three-unicast/lb2.conf:28, three-unicast/lb3.conf:28  vrrp_instance kube / virtual_ipaddress                       vip: address
#   three-unicast/lb1.conf:31, three-unicast/lb2.conf:31, three-unicast/lb3.conf:31  vrrp_instance kube / track_script                            node_check: vips, groups
#   three-unicast/lb1.conf:32, three-unicast/lb2.conf:32, three-unicast/lb3.conf:32  vrrp_instance kube / track_script / api                      node_check "api": weight = -30
#   three-unicast/lb2.conf:23                                                        vrrp_instance kube / unicast_src_ip 10.9.0.12                virtual_router: peers
#   three-unicast/lb2.conf:25, three-unicast/lb3.conf:25                             vrrp_instance kube / unicast_peer / 10.9.0.11                virtual_router: peers
#   three-unicast/lb3.conf:23                                                        vrrp_instance kube / unicast_src_ip 10.9.0.13                virtual_router: peers
#
