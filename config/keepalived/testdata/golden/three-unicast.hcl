# Made from keepalived.conf by `quorate import keepalived`.
#
# unsupported:
#   three-unicast/lb1.conf:3, three-unicast/lb2.conf:3, three-unicast/lb3.conf:3: global_defs / vrrp_version 3: this version does not speak VRRP; nothing is lost between the nodes of the cluster; beside a keepalived that stays it matters
#   three-unicast/lb1.conf:5, three-unicast/lb2.conf:5, three-unicast/lb3.conf:5: global_defs / vrrp_check_unicast_src: this version does not speak VRRP; nothing is lost between the nodes of the cluster; beside a keepalived that stays it matters
#   three-unicast/lb1.conf:20, three-unicast/lb2.conf:20, three-unicast/lb3.conf:20: vrrp_instance kube / virtual_router_id 60: this version does not speak VRRP, and needs none inside the cluster; keep the number: it matters beside a keepalived that stays
#   three-unicast/lb1.conf:22, three-unicast/lb2.conf:22, three-unicast/lb3.conf:22: vrrp_instance kube / advert_int 0.5: this version does not speak VRRP, and needs none inside the cluster; see `profile` of the block cluster: a lost owner is replaced within half a second
#   three-unicast/lb1.conf:29, three-unicast/lb2.conf:29, three-unicast/lb3.conf:29: vrrp_instance kube / virtual_ipaddress / 10.9.0.10/24 dev ens192 label ens192:vip: an address has a prefix length and an interface alone; left out: label ens192:vip; look whether something relies on it
#
# changed meaning:
#   three-unicast/lb1.conf:23: vrrp_instance kube / unicast_src_ip 10.9.0.11: what a node is reached at is said in its agent's own file; set bind = "10.9.0.11" there, if it is the address for the cluster's traffic
#   three-unicast/lb2.conf:23: vrrp_instance kube / unicast_src_ip 10.9.0.12: what a node is reached at is said in its agent's own file; set bind = "10.9.0.12" there, if it is the address for the cluster's traffic
#   three-unicast/lb3.conf:23: vrrp_instance kube / unicast_src_ip 10.9.0.13: what a node is reached at is said in its agent's own file; set bind = "10.9.0.13" there, if it is the address for the cluster's traffic

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# A virtual IP address, which one node at a time owns.
# three-unicast/lb1.conf:29, three-unicast/lb2.conf:29, three-unicast/lb3.conf:29
vip "kube" {
  address   = "10.9.0.10/24"
  interface = "ens192"
  prefer    = ["lb1", "lb2", "lb3"]
  preempt   = true
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
# unsupported (15)
#   three-unicast/lb1.conf:3, three-unicast/lb2.conf:3, three-unicast/lb3.conf:3     global_defs / vrrp_version 3                                                       this version does not speak VRRP; nothing is lost between the nodes of the cluster; beside a keepalived that stays it matters
#   three-unicast/lb1.conf:5, three-unicast/lb2.conf:5, three-unicast/lb3.conf:5     global_defs / vrrp_check_unicast_src                                               this version does not speak VRRP; nothing is lost between the nodes of the cluster; beside a keepalived that stays it matters
#   three-unicast/lb1.conf:20, three-unicast/lb2.conf:20, three-unicast/lb3.conf:20  vrrp_instance kube / virtual_router_id 60                                          this version does not speak VRRP, and needs none inside the cluster; keep the number: it matters beside a keepalived that stays
#   three-unicast/lb1.conf:22, three-unicast/lb2.conf:22, three-unicast/lb3.conf:22  vrrp_instance kube / advert_int 0.5                                                this version does not speak VRRP, and needs none inside the cluster; see `profile` of the block cluster: a lost owner is replaced within half a second
#   three-unicast/lb1.conf:29, three-unicast/lb2.conf:29, three-unicast/lb3.conf:29  vrrp_instance kube / virtual_ipaddress / 10.9.0.10/24 dev ens192 label ens192:vip  an address has a prefix length and an interface alone; left out: label ens192:vip; look whether something relies on it
#
# changed meaning (3)
#   three-unicast/lb1.conf:23  vrrp_instance kube / unicast_src_ip 10.9.0.11  what a node is reached at is said in its agent's own file; set bind = "10.9.0.11" there, if it is the address for the cluster's traffic
#   three-unicast/lb2.conf:23  vrrp_instance kube / unicast_src_ip 10.9.0.12  what a node is reached at is said in its agent's own file; set bind = "10.9.0.12" there, if it is the address for the cluster's traffic
#   three-unicast/lb3.conf:23  vrrp_instance kube / unicast_src_ip 10.9.0.13  what a node is reached at is said in its agent's own file; set bind = "10.9.0.13" there, if it is the address for the cluster's traffic
#
# ignored: not needed (21)
#   three-unicast/lb1.conf:2                                                         global_defs / router_id n1                                             a node has the name of its agent, lb1
#   three-unicast/lb1.conf:4, three-unicast/lb2.conf:4, three-unicast/lb3.conf:4     global_defs / vrrp_garp_master_refresh 60                              the new owner announces an address at once, several times, and again while it has it, without being told
#   three-unicast/lb1.conf:6, three-unicast/lb2.conf:6, three-unicast/lb3.conf:6     global_defs / enable_script_security                                   security is always on: what root runs may be written by root alone
#   three-unicast/lb1.conf:18, three-unicast/lb2.conf:18, three-unicast/lb3.conf:18  vrrp_instance kube / state BACKUP                                      it is a hint for the start; `prefer` follows the priorities
#   three-unicast/lb1.conf:24, three-unicast/lb2.conf:24, three-unicast/lb3.conf:24  vrrp_instance kube / unicast_peer                                      the nodes find each other when they join, and speak by unicast
#   three-unicast/lb1.conf:25                                                        vrrp_instance kube / unicast_peer / 10.9.0.12                          it is part of unicast_peer
#   three-unicast/lb1.conf:26, three-unicast/lb2.conf:26                             vrrp_instance kube / unicast_peer / 10.9.0.13 min_ttl 255 max_ttl 255  it is part of unicast_peer
#   three-unicast/lb2.conf:2                                                         global_defs / router_id n2                                             a node has the name of its agent, lb2
#   three-unicast/lb2.conf:25, three-unicast/lb3.conf:25                             vrrp_instance kube / unicast_peer / 10.9.0.11                          it is part of unicast_peer
#   three-unicast/lb3.conf:2                                                         global_defs / router_id n3                                             a node has the name of its agent, lb3
#   three-unicast/lb3.conf:26                                                        vrrp_instance kube / unicast_peer / 10.9.0.12 min_ttl 255 max_ttl 255  it is part of unicast_peer
#
# mapped (45)
#   three-unicast/lb1.conf:1, three-unicast/lb2.conf:1, three-unicast/lb3.conf:1     global_defs                                                  cluster, and notify blocks: see what stands in it
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
#   three-unicast/lb1.conf:21                                                        vrrp_instance kube / priority 103                            vip "kube": prefer
#   three-unicast/lb1.conf:28, three-unicast/lb2.conf:28, three-unicast/lb3.conf:28  vrrp_instance kube / virtual_ipaddress                       vip: address
#   three-unicast/lb1.conf:31, three-unicast/lb2.conf:31, three-unicast/lb3.conf:31  vrrp_instance kube / track_script                            node_check: vips, groups
#   three-unicast/lb1.conf:32, three-unicast/lb2.conf:32, three-unicast/lb3.conf:32  vrrp_instance kube / track_script / api                      node_check "api": weight = -30
#   three-unicast/lb2.conf:21                                                        vrrp_instance kube / priority 102                            vip "kube": prefer
#   three-unicast/lb3.conf:21                                                        vrrp_instance kube / priority 101                            vip "kube": prefer
#
