# Made from keepalived.conf by `quorate import keepalived`.
#
# mistake in the source:
#   vrrp-old-unicast.conf:40: vrrp_instance halves / advert_int 1.5: version 2 cannot say 1.5s, and keepalived takes 2s; write advert_int 2
#   vrrp-old-unicast.conf:45: vrrp_instance lost: it has no virtual_router_id, and keepalived leaves such an instance out; its VIPs were made without a virtual router; add virtual_router_id, and import again
#
# unsupported:
#   vrrp-old-unicast.conf:48: vrrp_instance lost / advert_int 2: no virtual router was made of the instance: it has no virtual_router_id, and keepalived leaves such an instance out
#
# changed meaning:
#   vrrp-old-unicast.conf:3: global_defs / vrrp_down_timer_adverts 2: the cluster reckons with 3 adverts, after which others may take over: keepalived takes over after 2, and perhaps while the cluster moves a VIP; set it to 3 on all directors before the cluster takes over
#   vrrp-old-unicast.conf:10: vrrp_instance far / virtual_router_id 110: the directors send the adverts to each other alone, and the nodes would not hear them; add the addresses of the nodes to unicast_peer on all directors before
#   vrrp-old-unicast.conf:12, vrrp-old-unicast.conf:29, vrrp-old-unicast.conf:41, vrrp-old-unicast.conf:47: priority: the files of the other directors are not here, so that nobody is preferred; beside keepalived the cluster as a whole has one priority, 254; give them all, each with --node NAME=FILE, or write prefer by hand
#   vrrp-old-unicast.conf:15: vrrp_instance far / unicast_ttl 64: adverts leave with 255, and those of IPv4 are heard with 255 alone; set unicast_ttl 255 on all directors before they are to hear each other
#   vrrp-old-unicast.conf:18: vrrp_instance far / unicast_peer / 10.111.0.2 min_ttl 253: virtual_router: peers; adverts of IPv4 are heard with a TTL of 255 alone, those of IPv6 from 64 on; look whether there are routers between that count it down
#   vrrp-old-unicast.conf:27, vrrp-old-unicast.conf:39: virtual_router_id: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   vrrp-old-unicast.conf:30: vrrp_instance quick / advert_int 0.07: virtual_router: interval; others would take over while the cluster does, unless it is quicker: profile = "fast" was taken for it; look whether the nodes and their network are fit for that profile, or use longer intervals on all directors
#   vrrp-old-unicast.conf:31: vrrp_instance quick / higher_prio_send_advert: the cluster yields without an advert of its own, so that the other does not announce its addresses anew for it; set garp_master_refresh on the directors that stay, if a switch keeps old entries
#   vrrp-old-unicast.conf:34: vrrp_instance quick / down_timer_adverts 5: the cluster reckons with 3 adverts, after which others may take over: with more it has more time
#   vrrp-old-unicast.conf:42: vrrp_instance halves / nopreempt: preempt = false, of the VIPs and of the virtual_router: a director of keepalived that has the addresses keeps them; take it out of the virtual_router before the takeover, or stop that director then

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "fast"
  data_plane = "auto"
  observers  = 3
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# vrrp-old-unicast.conf:10, vrrp-old-unicast.conf:16, vrrp-old-unicast.conf:13, vrrp-old-unicast.conf:18, and 4 more
virtual_router "far" {
  vrid     = 110
  interval = "920ms"
  peers    = ["10.110.0.2", "10.111.0.2"]
  unicast  = true
  checksum = "multicast-header"
}

# vrrp-old-unicast.conf:39, vrrp-old-unicast.conf:40
virtual_router "halves" {
  vrid     = 112
  version  = 2
  interval = "2s"
  preempt  = false
}

# vrrp-old-unicast.conf:27, vrrp-old-unicast.conf:33, vrrp-old-unicast.conf:30, vrrp-old-unicast.conf:28
virtual_router "quick" {
  vrid     = 111
  interval = "70ms"
  checksum = "message-only"
}

# A virtual IP address, which one node at a time owns.
# vrrp-old-unicast.conf:22
vip "far" {
  address        = "10.110.0.1/24"
  interface      = "eth0"
  virtual_router = "far"
}

# vrrp-old-unicast.conf:43
vip "halves" {
  address        = "10.113.0.1/24"
  interface      = "eth1"
  virtual_router = "halves"
}

# vrrp-old-unicast.conf:49
vip "lost" {
  address   = "10.114.0.1/24"
  interface = "eth1"
}

# vrrp-old-unicast.conf:35
vip "quick" {
  address        = "10.112.0.1/24"
  interface      = "eth1"
  virtual_router = "quick"
}

# All findings:
# mistake in the source (2)
#   vrrp-old-unicast.conf:40  vrrp_instance halves / advert_int 1.5  version 2 cannot say 1.5s, and keepalived takes 2s; write advert_int 2
#   vrrp-old-unicast.conf:45  vrrp_instance lost                     it has no virtual_router_id, and keepalived leaves such an instance out; its VIPs were made without a virtual router; add virtual_router_id, and import again
#
# unsupported (1)
#   vrrp-old-unicast.conf:48  vrrp_instance lost / advert_int 2  no virtual router was made of the instance: it has no virtual_router_id, and keepalived leaves such an instance out
#
# changed meaning (14)
#   vrrp-old-unicast.conf:3   global_defs / vrrp_down_timer_adverts 2                    the cluster reckons with 3 adverts, after which others may take over: keepalived takes over after 2, and perhaps while the cluster moves a VIP; set it to 3 on all directors before the cluster takes over
#   vrrp-old-unicast.conf:10  vrrp_instance far / virtual_router_id 110                  the directors send the adverts to each other alone, and the nodes would not hear them; add the addresses of the nodes to unicast_peer on all directors before
#   vrrp-old-unicast.conf:12  vrrp_instance far / priority 150                           the files of the other directors are not here, so that nobody is preferred; beside keepalived the cluster as a whole has one priority, 254; give them all, each with --node NAME=FILE, or write prefer by hand
#   vrrp-old-unicast.conf:15  vrrp_instance far / unicast_ttl 64                         adverts leave with 255, and those of IPv4 are heard with 255 alone; set unicast_ttl 255 on all directors before they are to hear each other
#   vrrp-old-unicast.conf:18  vrrp_instance far / unicast_peer / 10.111.0.2 min_ttl 253  virtual_router: peers; adverts of IPv4 are heard with a TTL of 255 alone, those of IPv6 from 64 on; look whether there are routers between that count it down
#   vrrp-old-unicast.conf:27  vrrp_instance quick / virtual_router_id 111                the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   vrrp-old-unicast.conf:29  vrrp_instance quick / priority 150                         the files of the other directors are not here, so that nobody is preferred; beside keepalived the cluster as a whole has one priority, 254; give them all, each with --node NAME=FILE, or write prefer by hand
#   vrrp-old-unicast.conf:30  vrrp_instance quick / advert_int 0.07                      virtual_router: interval; others would take over while the cluster does, unless it is quicker: profile = "fast" was taken for it; look whether the nodes and their network are fit for that profile, or use longer intervals on all directors
#   vrrp-old-unicast.conf:31  vrrp_instance quick / higher_prio_send_advert              the cluster yields without an advert of its own, so that the other does not announce its addresses anew for it; set garp_master_refresh on the directors that stay, if a switch keeps old entries
#   vrrp-old-unicast.conf:34  vrrp_instance quick / down_timer_adverts 5                 the cluster reckons with 3 adverts, after which others may take over: with more it has more time
#   vrrp-old-unicast.conf:39  vrrp_instance halves / virtual_router_id 112               the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   vrrp-old-unicast.conf:41  vrrp_instance halves / priority 150                        the files of the other directors are not here, so that nobody is preferred; beside keepalived the cluster as a whole has one priority, 254; give them all, each with --node NAME=FILE, or write prefer by hand
#   vrrp-old-unicast.conf:42  vrrp_instance halves / nopreempt                           preempt = false, of the VIPs and of the virtual_router: a director of keepalived that has the addresses keeps them; take it out of the virtual_router before the takeover, or stop that director then
#   vrrp-old-unicast.conf:47  vrrp_instance lost / priority 150                          the files of the other directors are not here, so that nobody is preferred; beside keepalived the cluster as a whole has one priority, 254; give them all, each with --node NAME=FILE, or write prefer by hand
#
# ignored: not needed (5)
#   vrrp-old-unicast.conf:4   global_defs / vrrp_mcast_group4 224.0.0.18      it is the default, or the adverts go to each peer
#   vrrp-old-unicast.conf:5   global_defs / vrrp_skip_check_adv_addr on       adverts with other addresses count, and the difference is reported
#   vrrp-old-unicast.conf:6   global_defs / vrrp_check_unicast_src            adverts count only when they come from one of peers
#   vrrp-old-unicast.conf:7   global_defs / log_unknown_vrids                 `quorate vrrp scan` shows who speaks VRRP on a link
#   vrrp-old-unicast.conf:32  vrrp_instance quick / lower_prio_no_advert yes  an advert with a worse claim is answered at once, as RFC 9568 has it; who has the addresses is the same either way
#
# mapped (27)
#   vrrp-old-unicast.conf:2   global_defs                                                     cluster, and notify blocks: see what stands in it
#   vrrp-old-unicast.conf:9   vrrp_instance far                                               vip "far"
#   vrrp-old-unicast.conf:10  vrrp_instance far / virtual_router_id 110                       virtual_router: vrid
#   vrrp-old-unicast.conf:11  vrrp_instance far / version 3                                   virtual_router: version
#   vrrp-old-unicast.conf:13  vrrp_instance far / advert_int 0.92                             virtual_router: interval
#   vrrp-old-unicast.conf:14  vrrp_instance far / unicast_src_ip 10.110.0.2                   virtual_router: peers
#   vrrp-old-unicast.conf:16  vrrp_instance far / old_unicast_checksum                        virtual_router: checksum
#   vrrp-old-unicast.conf:17  vrrp_instance far / unicast_peer                                virtual_router: unicast
#   vrrp-old-unicast.conf:19  vrrp_instance far / unicast_peer / 2001:db8::2                  virtual_router: peers
#   vrrp-old-unicast.conf:21  vrrp_instance far / virtual_ipaddress                           vip: address
#   vrrp-old-unicast.conf:22  vrrp_instance far / virtual_ipaddress / 10.110.0.1/24 dev eth0  vip "far": address
#   vrrp-old-unicast.conf:25  vrrp_instance quick                                             vip "quick"
#   vrrp-old-unicast.conf:26  vrrp_instance quick / interface eth1                            vip: interface
#   vrrp-old-unicast.conf:27  vrrp_instance quick / virtual_router_id 111                     virtual_router: vrid
#   vrrp-old-unicast.conf:28  vrrp_instance quick / version 3                                 virtual_router: version
#   vrrp-old-unicast.conf:33  vrrp_instance quick / v3_checksum_as_v2                         virtual_router: checksum
#   vrrp-old-unicast.conf:35  vrrp_instance quick / virtual_ipaddress                         vip: address
#   vrrp-old-unicast.conf:35  vrrp_instance quick / virtual_ipaddress / 10.112.0.1/24         vip "quick": address
#   vrrp-old-unicast.conf:37  vrrp_instance halves                                            vip "halves"
#   vrrp-old-unicast.conf:38  vrrp_instance halves / interface eth1                           vip: interface
#   vrrp-old-unicast.conf:39  vrrp_instance halves / virtual_router_id 112                    virtual_router: vrid
#   vrrp-old-unicast.conf:43  vrrp_instance halves / virtual_ipaddress                        vip: address
#   vrrp-old-unicast.conf:43  vrrp_instance halves / virtual_ipaddress / 10.113.0.1/24        vip "halves": address
#   vrrp-old-unicast.conf:45  vrrp_instance lost                                              vip "lost"
#   vrrp-old-unicast.conf:46  vrrp_instance lost / interface eth1                             vip: interface
#   vrrp-old-unicast.conf:49  vrrp_instance lost / virtual_ipaddress                          vip: address
#   vrrp-old-unicast.conf:49  vrrp_instance lost / virtual_ipaddress / 10.114.0.1/24          vip "lost": address
#
