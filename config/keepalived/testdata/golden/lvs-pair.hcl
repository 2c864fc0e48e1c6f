# Made from keepalived.conf by `quorate import keepalived`.
#
# changed meaning:
#   lvs-pair/lb1.conf:3, lvs-pair/lb2.conf:3: global_defs / lvs_sync_daemon eth1 VI_LVS id 51: sync { transport = "multicast" }: the kernels do it themselves, in the clear; all directors send and receive all the time; leave the block sync out when no keepalived is left: the agents carry it then, sealed
#   lvs-pair/lb1.conf:5, lvs-pair/lb2.conf:5: global_defs / lvs_flush: the agent touches only what it made itself, and services of the configuration; other entries of the table stay; remove entries of others once, with `ipvsadm -C`, before the agent starts
#   lvs-pair/lb1.conf:10: vrrp_instance VI_LVS / virtual_router_id 51: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   lvs-pair/lb1.conf:11, lvs-pair/lb2.conf:11: priority: it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 150 at most

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
# lvs-pair/lb1.conf:10, lvs-pair/lb2.conf:10
virtual_router "VI_LVS" {
  vrid    = 51
  version = 2
}

# A virtual IP address, which one node at a time owns.
# lvs-pair/lb1.conf:13, lvs-pair/lb2.conf:13
vip "VI_LVS" {
  address        = "192.0.2.100/24"
  interface      = "eth0"
  prefer         = ["lb1", "lb2"]
  preempt        = true
  virtual_router = "VI_LVS"
}

# A virtual service: traffic to a port of a VIP, spread over real servers.
# lvs-pair/lb1.conf:16, lvs-pair/lb2.conf:16
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
# changed meaning (7)
#   lvs-pair/lb1.conf:3, lvs-pair/lb2.conf:3  global_defs / lvs_sync_daemon eth1 VI_LVS id 51  sync { transport = "multicast" }: the kernels do it themselves, in the clear; all directors send and receive all the time; leave the block sync out when no keepalived is left: the agents carry it then, sealed
#   lvs-pair/lb1.conf:5, lvs-pair/lb2.conf:5  global_defs / lvs_flush                          the agent touches only what it made itself, and services of the configuration; other entries of the table stay; remove entries of others once, with `ipvsadm -C`, before the agent starts
#   lvs-pair/lb1.conf:10                      vrrp_instance VI_LVS / virtual_router_id 51      the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   lvs-pair/lb1.conf:11                      vrrp_instance VI_LVS / priority 150              it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 150 at most
#   lvs-pair/lb2.conf:11                      vrrp_instance VI_LVS / priority 100              it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 150 at most
#
# ignored: not needed (4)
#   lvs-pair/lb1.conf:2  global_defs / router_id LVS_A        a node has the name of its agent, lb1
#   lvs-pair/lb1.conf:8  vrrp_instance VI_LVS / state MASTER  it is a hint for the start; `prefer` follows the priorities
#   lvs-pair/lb2.conf:2  global_defs / router_id LVS_B        a node has the name of its agent, lb2
#   lvs-pair/lb2.conf:8  vrrp_instance VI_LVS / state BACKUP  it is a hint for the start; `prefer` follows the priorities
#
# mapped (46)
#   lvs-pair/lb1.conf:1, lvs-pair/lb2.conf:1    global_defs                                                                                cluster, and notify blocks: see what stands in it
#   lvs-pair/lb1.conf:4, lvs-pair/lb2.conf:4    global_defs / lvs_timeouts tcp 7200 tcpfin 30 udp 60                                       ipvs_timeouts
#   lvs-pair/lb1.conf:7, lvs-pair/lb2.conf:7    vrrp_instance VI_LVS                                                                       vip "VI_LVS"
#   lvs-pair/lb1.conf:9, lvs-pair/lb2.conf:9    vrrp_instance VI_LVS / interface eth0                                                      vip: interface
#   lvs-pair/lb1.conf:10, lvs-pair/lb2.conf:10  vrrp_instance VI_LVS / virtual_router_id 51                                                virtual_router: vrid
#   lvs-pair/lb1.conf:12, lvs-pair/lb2.conf:12  vrrp_instance VI_LVS / virtual_ipaddress                                                   vip: address
#   lvs-pair/lb1.conf:13, lvs-pair/lb2.conf:13  vrrp_instance VI_LVS / virtual_ipaddress / 192.0.2.100/24                                  vip "VI_LVS": address
#   lvs-pair/lb1.conf:16                        virtual_server 192.0.2.100 80                                                              service "tcp-192.0.2.100-80"
#   lvs-pair/lb1.conf:17, lvs-pair/lb2.conf:17  virtual_server 192.0.2.100 80 / delay_loop 6                                               check: interval
#   lvs-pair/lb1.conf:18, lvs-pair/lb2.conf:18  virtual_server 192.0.2.100 80 / lb_algo wrr                                                scheduler
#   lvs-pair/lb1.conf:19, lvs-pair/lb2.conf:19  virtual_server 192.0.2.100 80 / lb_kind DR                                                 forward, tunnel
#   lvs-pair/lb1.conf:20, lvs-pair/lb2.conf:20  virtual_server 192.0.2.100 80 / persistence_timeout 50                                     persistence
#   lvs-pair/lb1.conf:21, lvs-pair/lb2.conf:21  virtual_server 192.0.2.100 80 / protocol TCP                                               protocol
#   lvs-pair/lb1.conf:23, lvs-pair/lb2.conf:23  virtual_server 192.0.2.100 80 / real_server 192.0.2.11 80                                  server "192.0.2.11:80"
#   lvs-pair/lb1.conf:24, lvs-pair/lb2.conf:24  virtual_server 192.0.2.100 80 / real_server 192.0.2.11 80 / weight 3                       server: weight
#   lvs-pair/lb1.conf:25, lvs-pair/lb2.conf:25  virtual_server 192.0.2.100 80 / real_server 192.0.2.11 80 / TCP_CHECK                      check "tcp"
#   lvs-pair/lb1.conf:26, lvs-pair/lb2.conf:26  virtual_server 192.0.2.100 80 / real_server 192.0.2.11 80 / TCP_CHECK / connect_timeout 3  check: timeout, for the whole probe
#   lvs-pair/lb1.conf:27, lvs-pair/lb2.conf:27  virtual_server 192.0.2.100 80 / real_server 192.0.2.11 80 / TCP_CHECK / connect_port 80    check: port
#   lvs-pair/lb1.conf:30, lvs-pair/lb2.conf:30  virtual_server 192.0.2.100 80 / real_server 192.0.2.12 80                                  server "192.0.2.12:80"
#   lvs-pair/lb1.conf:31, lvs-pair/lb2.conf:31  virtual_server 192.0.2.100 80 / real_server 192.0.2.12 80 / weight 1                       server: weight
#   lvs-pair/lb1.conf:32, lvs-pair/lb2.conf:32  virtual_server 192.0.2.100 80 / real_server 192.0.2.12 80 / TCP_CHECK                      check "tcp"
#   lvs-pair/lb1.conf:33, lvs-pair/lb2.conf:33  virtual_server 192.0.2.100 80 / real_server 192.0.2.12 80 / TCP_CHECK / connect_timeout 3  check: timeout, for the whole probe
#   lvs-pair/lb1.conf:34, lvs-pair/lb2.conf:34  virtual_server 192.0.2.100 80 / real_server 192.0.2.12 80 / TCP_CHECK / connect_port 80    check: port
#   lvs-pair/lb2.conf:16                        virtual_server 192.0.2.100 80                                                              service "tcp-192.0.2.100-80", as on lb1
#
