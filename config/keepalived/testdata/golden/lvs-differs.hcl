# Made from keepalived.conf by `quorate import keepalived`.
#
# mistake in the source:
#   lvs-differs/lb2.conf:4: global_defs / lvs_timeouts tcp 7200 tcpfin 30 udp 61: lb1 has another one (lvs-differs/lb1.conf:4), which was taken; make the directors agree, then import again
#   lvs-differs/lb2.conf:16: virtual_server 192.0.2.100 80: its checks, its servers, its settings are not those that lb1 has (lvs-differs/lb1.conf:16), which were taken; make the directors agree, then import again
#
# changed meaning:
#   lvs-differs/lb1.conf:3, lvs-differs/lb2.conf:3: global_defs / lvs_sync_daemon eth1 VI_LVS id 51: sync { transport = "multicast" }: the kernels do it themselves, in the clear; all directors send and receive all the time; leave the block sync out when no keepalived is left: the agents carry it then, sealed
#   lvs-differs/lb1.conf:5, lvs-differs/lb2.conf:5: global_defs / lvs_flush: the agent touches only what it made itself, and services of the configuration; other entries of the table stay; remove entries of others once, with `ipvsadm -C`, before the agent starts
#   lvs-differs/lb1.conf:10: vrrp_instance VI_LVS / virtual_router_id 51: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   lvs-differs/lb1.conf:11, lvs-differs/lb2.conf:11: priority: it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 150 at most
#   lvs-differs/lb2.conf:39: virtual_server 192.0.2.100 443: lb1 has no such virtual_server; here every node that owns the address balances it; nothing, if that is what is wanted

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3

  sync {
    transport = "multicast"
    interface = "eth1"
    sync_id   = 51
  }

  ipvs_timeouts {
    tcp     = "2h"
    tcp_fin = "30s"
    udp     = "1m"
  }
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# lvs-differs/lb1.conf:10, lvs-differs/lb2.conf:10
virtual_router "VI_LVS" {
  vrid    = 51
  version = 2
}

# A virtual IP address, which one node at a time owns.
# lvs-differs/lb1.conf:13, lvs-differs/lb2.conf:13
vip "VI_LVS" {
  address        = "192.0.2.100/24"
  interface      = "eth0"
  prefer         = ["lb1", "lb2"]
  preempt        = true
  virtual_router = "VI_LVS"
}

# A virtual service: traffic to a port of a VIP, spread over real servers.
# lvs-differs/lb2.conf:39
service "tcp-192.0.2.100-443" {
  vip       = "VI_LVS"
  port      = 443
  protocol  = "tcp"
  scheduler = "wlc"
  forward   = "nat"

  server "192.0.2.11:443" { weight = 1 }
}

# lvs-differs/lb1.conf:16, lvs-differs/lb2.conf:16
service "tcp-192.0.2.100-80" {
  vip         = "VI_LVS"
  port        = 80
  protocol    = "tcp"
  scheduler   = "wrr"
  persistence = "50s"
  forward     = "dr"

  check "tcp" {
    interval      = "6s"
    fast_interval = "3s"
    timeout       = "3s"
    rise          = 1
    fall          = 2
  }

  server "192.0.2.11:80" { weight = 3 }
  server "192.0.2.12:80" { weight = 1 }
}

# All findings:
# mistake in the source (2)
#   lvs-differs/lb2.conf:4   global_defs / lvs_timeouts tcp 7200 tcpfin 30 udp 61  lb1 has another one (lvs-differs/lb1.conf:4), which was taken; make the directors agree, then import again
#   lvs-differs/lb2.conf:16  virtual_server 192.0.2.100 80                         its checks, its servers, its settings are not those that lb1 has (lvs-differs/lb1.conf:16), which were taken; make the directors agree, then import again
#
# changed meaning (8)
#   lvs-differs/lb1.conf:3, lvs-differs/lb2.conf:3  global_defs / lvs_sync_daemon eth1 VI_LVS id 51  sync { transport = "multicast" }: the kernels do it themselves, in the clear; all directors send and receive all the time; leave the block sync out when no keepalived is left: the agents carry it then, sealed
#   lvs-differs/lb1.conf:5, lvs-differs/lb2.conf:5  global_defs / lvs_flush                          the agent touches only what it made itself, and services of the configuration; other entries of the table stay; remove entries of others once, with `ipvsadm -C`, before the agent starts
#   lvs-differs/lb1.conf:10                         vrrp_instance VI_LVS / virtual_router_id 51      the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   lvs-differs/lb1.conf:11                         vrrp_instance VI_LVS / priority 150              it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 150 at most
#   lvs-differs/lb2.conf:11                         vrrp_instance VI_LVS / priority 100              it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 150 at most
#   lvs-differs/lb2.conf:39                         virtual_server 192.0.2.100 443                   lb1 has no such virtual_server; here every node that owns the address balances it; nothing, if that is what is wanted
#
# ignored: not needed (4)
#   lvs-differs/lb1.conf:2  global_defs / router_id LVS_A        a node has the name of its agent, lb1
#   lvs-differs/lb1.conf:8  vrrp_instance VI_LVS / state MASTER  it is a hint for the start; `prefer` follows the priorities
#   lvs-differs/lb2.conf:2  global_defs / router_id LVS_B        a node has the name of its agent, lb2
#   lvs-differs/lb2.conf:8  vrrp_instance VI_LVS / state BACKUP  it is a hint for the start; `prefer` follows the priorities
#
# mapped (48)
#   lvs-differs/lb1.conf:1, lvs-differs/lb2.conf:1    global_defs                                                                                cluster, and notify blocks: see what stands in it
#   lvs-differs/lb1.conf:4                            global_defs / lvs_timeouts tcp 7200 tcpfin 30 udp 60                                       ipvs_timeouts
#   lvs-differs/lb1.conf:7, lvs-differs/lb2.conf:7    vrrp_instance VI_LVS                                                                       vip "VI_LVS"
#   lvs-differs/lb1.conf:9, lvs-differs/lb2.conf:9    vrrp_instance VI_LVS / interface eth0                                                      vip: interface
#   lvs-differs/lb1.conf:10, lvs-differs/lb2.conf:10  vrrp_instance VI_LVS / virtual_router_id 51                                                virtual_router: vrid
#   lvs-differs/lb1.conf:12, lvs-differs/lb2.conf:12  vrrp_instance VI_LVS / virtual_ipaddress                                                   vip: address
#   lvs-differs/lb1.conf:13, lvs-differs/lb2.conf:13  vrrp_instance VI_LVS / virtual_ipaddress / 192.0.2.100/24                                  vip "VI_LVS": address
#   lvs-differs/lb1.conf:16                           virtual_server 192.0.2.100 80                                                              service "tcp-192.0.2.100-80"
#   lvs-differs/lb1.conf:17                           virtual_server 192.0.2.100 80 / delay_loop 6                                               check: interval
#   lvs-differs/lb1.conf:18, lvs-differs/lb2.conf:18  virtual_server 192.0.2.100 80 / lb_algo wrr                                                scheduler
#   lvs-differs/lb1.conf:19, lvs-differs/lb2.conf:19  virtual_server 192.0.2.100 80 / lb_kind DR                                                 forward, tunnel
#   lvs-differs/lb1.conf:20                           virtual_server 192.0.2.100 80 / persistence_timeout 50                                     persistence
#   lvs-differs/lb1.conf:21, lvs-differs/lb2.conf:21  virtual_server 192.0.2.100 80 / protocol TCP                                               protocol
#   lvs-differs/lb1.conf:23, lvs-differs/lb2.conf:23  virtual_server 192.0.2.100 80 / real_server 192.0.2.11 80                                  server "192.0.2.11:80"
#   lvs-differs/lb1.conf:24, lvs-differs/lb2.conf:24  virtual_server 192.0.2.100 80 / real_server 192.0.2.11 80 / weight 3                       server: weight
#   lvs-differs/lb1.conf:25, lvs-differs/lb2.conf:25  virtual_server 192.0.2.100 80 / real_server 192.0.2.11 80 / TCP_CHECK                      check "tcp"
#   lvs-differs/lb1.conf:26, lvs-differs/lb2.conf:26  virtual_server 192.0.2.100 80 / real_server 192.0.2.11 80 / TCP_CHECK / connect_timeout 3  check: timeout, for the whole probe
#   lvs-differs/lb1.conf:27, lvs-differs/lb2.conf:27  virtual_server 192.0.2.100 80 / real_server 192.0.2.11 80 / TCP_CHECK / connect_port 80    check: port
#   lvs-differs/lb1.conf:30                           virtual_server 192.0.2.100 80 / real_server 192.0.2.12 80                                  server "192.0.2.12:80"
#   lvs-differs/lb1.conf:31                           virtual_server 192.0.2.100 80 / real_server 192.0.2.12 80 / weight 1                       server: weight
#   lvs-differs/lb1.conf:32                           virtual_server 192.0.2.100 80 / real_server 192.0.2.12 80 / TCP_CHECK                      check "tcp"
#   lvs-differs/lb1.conf:33                           virtual_server 192.0.2.100 80 / real_server 192.0.2.12 80 / TCP_CHECK / connect_timeout 3  check: timeout, for the whole probe
#   lvs-differs/lb1.conf:34                           virtual_server 192.0.2.100 80 / real_server 192.0.2.12 80 / TCP_CHECK / connect_port 80    check: port
#   lvs-differs/lb2.conf:4                            global_defs / lvs_timeouts tcp 7200 tcpfin 30 udp 61                                       ipvs_timeouts
#   lvs-differs/lb2.conf:16                           virtual_server 192.0.2.100 80                                                              service "tcp-192.0.2.100-80", as on lb1
#   lvs-differs/lb2.conf:17                           virtual_server 192.0.2.100 80 / delay_loop 7                                               check: interval
#   lvs-differs/lb2.conf:30                           virtual_server 192.0.2.100 80 / real_server 192.0.2.13 80                                  server "192.0.2.13:80"
#   lvs-differs/lb2.conf:31                           virtual_server 192.0.2.100 80 / real_server 192.0.2.13 80 / weight 1                       server: weight
#   lvs-differs/lb2.conf:32                           virtual_server 192.0.2.100 80 / real_server 192.0.2.13 80 / TCP_CHECK                      check "tcp"
#   lvs-differs/lb2.conf:33                           virtual_server 192.0.2.100 80 / real_server 192.0.2.13 80 / TCP_CHECK / connect_timeout 3  check: timeout, for the whole probe
#   lvs-differs/lb2.conf:34                           virtual_server 192.0.2.100 80 / real_server 192.0.2.13 80 / TCP_CHECK / connect_port 80    check: port
#   lvs-differs/lb2.conf:39                           virtual_server 192.0.2.100 443                                                             service "tcp-192.0.2.100-443"
#   lvs-differs/lb2.conf:39                           virtual_server 192.0.2.100 443 / protocol TCP                                              protocol
#   lvs-differs/lb2.conf:40                           virtual_server 192.0.2.100 443 / real_server 192.0.2.11 443                                server "192.0.2.11:443"
#
