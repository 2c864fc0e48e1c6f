# Made from keepalived.conf by `quorate import keepalived`.
#
# mistake in the source:
#   old-style.conf:3: global_defs / lvs_id LVS1: keepalived does not know this keyword here, and leaves the line out; take it out
#
# changed meaning:
#   old-style.conf:5: global_defs / lvs_flush_onstop: an agent that ends leaves the table, so that connections go on while it is replaced
#   old-style.conf:11: vrrp_instance VI_1 / lvs_sync_daemon_interface eth1: connections are synchronised for the whole cluster, by the agents unless the block sync says otherwise; set cluster { sync { transport = "multicast"  interface = "eth1" } } if the kernels are to do it
#   old-style.conf:12: vrrp_instance VI_1 / virtual_router_id 51: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   old-style.conf:13: vrrp_instance VI_1 / priority 100: the files of the other directors are not here, so that nobody is preferred; beside keepalived the cluster as a whole has one priority, 254; give them all, each with --node NAME=FILE, or write prefer by hand

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# old-style.conf:12, old-style.conf:14
virtual_router "VI_1" {
  vrid    = 51
  version = 2
}

# A virtual IP address, which one node at a time owns.
# old-style.conf:20
vip "VI_1" {
  address        = "10.18.0.1/32"
  interface      = "eth0"
  virtual_router = "VI_1"
}

# A virtual service: traffic to a port of a VIP, spread over real servers.
# old-style.conf:23
service "tcp-10.18.0.1-80" {
  vip         = "VI_1"
  port        = 80
  protocol    = "tcp"
  scheduler   = "wrr"
  persistence = "50s"
  forward     = "nat"

  check "http" {
    interval      = "30s"
    fast_interval = "3s"
    timeout       = "3s"
    rise          = 1
    fall          = 4
    path          = "/testurl/test.jsp"
    status        = ["200-299"]
    md5           = "640205b7b0fc66c1ea91c463fac6334d"
  }

  server "10.18.1.2:80" { weight = 1 }

  sorry_server "10.18.1.200:80" {
  }
}

# All findings:
# mistake in the source (1)
#   old-style.conf:3  global_defs / lvs_id LVS1  keepalived does not know this keyword here, and leaves the line out; take it out
#
# changed meaning (4)
#   old-style.conf:5   global_defs / lvs_flush_onstop                       an agent that ends leaves the table, so that connections go on while it is replaced
#   old-style.conf:11  vrrp_instance VI_1 / lvs_sync_daemon_interface eth1  connections are synchronised for the whole cluster, by the agents unless the block sync says otherwise; set cluster { sync { transport = "multicast"  interface = "eth1" } } if the kernels are to do it
#   old-style.conf:12  vrrp_instance VI_1 / virtual_router_id 51            the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   old-style.conf:13  vrrp_instance VI_1 / priority 100                    the files of the other directors are not here, so that nobody is preferred; beside keepalived the cluster as a whole has one priority, 254; give them all, each with --node NAME=FILE, or write prefer by hand
#
# ignored: not needed (9)
#   old-style.conf:4   global_defs / router_id OLD                           a node has the name of its agent, lb1
#   old-style.conf:6   global_defs / vrrp_rlimit_rtime 100                   an agent is one process, with a real-time thread for the lease where its rights allow
#   old-style.conf:9   vrrp_instance VI_1 / state MASTER                     it is a hint for the start; `prefer` follows the priorities
#   old-style.conf:15  vrrp_instance VI_1 / smtp_alert                       there is nobody to send mail to
#   old-style.conf:16  vrrp_instance VI_1 / native_ipv6                      the addresses say which family it is
#   old-style.conf:17  vrrp_instance VI_1 / linkbeat_use_polling             the state of interfaces comes from the kernel at once; nothing is polled
#   old-style.conf:18  vrrp_instance VI_1 / vmac_garp_intvl 10               the new owner announces an address at once, several times, and again while it has it, without being told
#   old-style.conf:27  virtual_server 10.18.0.1 80 / nat_mask 255.255.255.0  it does nothing in keepalived either
#   old-style.conf:39  nb_get_retry 3                                        nb_get_retry is an old spelling of retry, and taken for it
#
# mapped (23)
#   old-style.conf:2   global_defs                                                                                            cluster, and notify blocks: see what stands in it
#   old-style.conf:8   vrrp_instance VI_1                                                                                     vip "VI_1"
#   old-style.conf:10  vrrp_instance VI_1 / interface eth0                                                                    vip: interface
#   old-style.conf:12  vrrp_instance VI_1 / virtual_router_id 51                                                              virtual_router: vrid
#   old-style.conf:14  vrrp_instance VI_1 / advert_int 1                                                                      virtual_router: interval
#   old-style.conf:19  vrrp_instance VI_1 / virtual_ipaddress                                                                 vip: address
#   old-style.conf:20  vrrp_instance VI_1 / virtual_ipaddress / 10.18.0.1                                                     vip "VI_1": address
#   old-style.conf:23  virtual_server 10.18.0.1 80                                                                            service "tcp-10.18.0.1-80"
#   old-style.conf:24  virtual_server 10.18.0.1 80 / delay_loop 30                                                            check: interval
#   old-style.conf:25  virtual_server 10.18.0.1 80 / lb_algo wrr                                                              scheduler
#   old-style.conf:26  virtual_server 10.18.0.1 80 / lb_kind NAT                                                              forward, tunnel
#   old-style.conf:28  virtual_server 10.18.0.1 80 / persistence_timeout 50                                                   persistence
#   old-style.conf:29  virtual_server 10.18.0.1 80 / protocol TCP                                                             protocol
#   old-style.conf:30  virtual_server 10.18.0.1 80 / sorry_server 10.18.1.200 80                                              sorry_server "10.18.1.200:80"
#   old-style.conf:31  virtual_server 10.18.0.1 80 / real_server 10.18.1.2 80                                                 server "10.18.1.2:80"
#   old-style.conf:32  virtual_server 10.18.0.1 80 / real_server 10.18.1.2 80 / weight 1                                      server: weight
#   old-style.conf:33  virtual_server 10.18.0.1 80 / real_server 10.18.1.2 80 / HTTP_GET                                      check "http"
#   old-style.conf:34  virtual_server 10.18.0.1 80 / real_server 10.18.1.2 80 / HTTP_GET / url                                check: path, status …
#   old-style.conf:35  virtual_server 10.18.0.1 80 / real_server 10.18.1.2 80 / HTTP_GET / url / path /testurl/test.jsp       path
#   old-style.conf:36  virtual_server 10.18.0.1 80 / real_server 10.18.1.2 80 / HTTP_GET / url / digest 640205b7b0fc66c1ea9…  md5
#   old-style.conf:38  virtual_server 10.18.0.1 80 / real_server 10.18.1.2 80 / HTTP_GET / connect_timeout 3                  check: timeout, for the whole probe
#   old-style.conf:39  virtual_server 10.18.0.1 80 / real_server 10.18.1.2 80 / HTTP_GET / nb_get_retry 3                     check: fall, one more than that
#   old-style.conf:40  virtual_server 10.18.0.1 80 / real_server 10.18.1.2 80 / HTTP_GET / delay_before_retry 3               check: fast_interval, from probe to probe
#
