# Made from keepalived.conf by `quorate import keepalived`.
#
# unsupported:
#   guide/lb1.conf:23, guide/lb2.conf:23: vrrp_instance web / virtual_ipaddress / 192.0.2.10/24 label eth0:web: an address has a prefix length and an interface alone; left out: label eth0:web; look whether something relies on it
#
# changed meaning:
#   guide/lb1.conf:8, guide/lb2.conf:8: vrrp_script conntrackd / script "/usr/bin/pidof conntrackd": it only looks whether conntrackd runs: check "process" hears of that from the kernel, and starts no program
#   guide/lb1.conf:15: vrrp_instance web / virtual_router_id 51: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   guide/lb1.conf:16, guide/lb2.conf:16: priority: it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 150 at most
#   guide/lb1.conf:31, guide/lb2.conf:31: vrrp_instance web / notify /etc/keepalived/notify.sh: notify "web": the last arguments are as from keepalived, but the priority is always 100; one runs after another, for 5m at most

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# guide/lb1.conf:15, guide/lb2.conf:15, guide/lb1.conf:19, guide/lb1.conf:20, and 6 more
virtual_router "web" {
  vrid     = 51
  version  = 2
  password = "s3cr3t"
}

# A virtual IP address, which one node at a time owns.
# guide/lb1.conf:23, guide/lb2.conf:23
vip "web" {
  address        = "192.0.2.10/24"
  interface      = "eth0"
  prefer         = ["lb1", "lb2"]
  preempt        = true
  virtual_router = "web"
}

# What a director has to have in order to own VIPs, or to be preferred as their owner; each director checks it for itself. Checks that ask over the network ask 127.0.0.1, at the `port` that they name. It passes on a node when all checks in it do.
# guide/lb1.conf:7, guide/lb2.conf:7
node_check "conntrackd" {
  required = true
  vips     = ["web"]

  check "process" {
    interval = "2s"
    timeout  = "2s"
    rise     = 1
    fall     = 1
    process  = "conntrackd"
    least    = 1
  }
}

# guide/lb1.conf:26, guide/lb2.conf:26
node_check "link-eth1" {
  required = true
  vips     = ["web"]

  check "interface" {
    interval  = "2s"
    timeout   = "1s"
    rise      = 1
    fall      = 1
    interface = "eth1"
  }
}

# A virtual service: traffic to a port of a VIP, spread over real servers.
# guide/lb1.conf:34, guide/lb2.conf:34
service "tcp-192.0.2.10-80" {
  vip       = "web"
  port      = 80
  protocol  = "tcp"
  scheduler = "wlc"
  forward   = "nat"

  check "http" {
    interval      = "5s"
    fast_interval = "3s"
    timeout       = "3s"
    rise          = 1
    fall          = 2
    path          = "/healthz"
    status        = ["200"]
  }

  server "10.0.0.11:8080" { weight = 1 }
  server "10.0.0.12:8080" { weight = 2 }
}

# Somebody who is told what happens, by exactly one of the blocks in it. A `webhook` and an `email` are sent by the leader, each event once and in order; a `script` is run, and a `fifo` is written, by each node about itself, as keepalived does. notify.md says what is promised.
# guide/lb1.conf:31, guide/lb2.conf:31
notify "web" {
  vips = ["web"]

  script {
    command = ["/etc/keepalived/notify.sh"]
    user    = "keepalived"
    timeout = "5m"
  }
}

# All findings:
# unsupported (2)
#   guide/lb1.conf:23, guide/lb2.conf:23  vrrp_instance web / virtual_ipaddress / 192.0.2.10/24 label eth0:web  an address has a prefix length and an interface alone; left out: label eth0:web; look whether something relies on it
#
# changed meaning (7)
#   guide/lb1.conf:8, guide/lb2.conf:8    vrrp_script conntrackd / script "/usr/bin/pidof conntrackd"  it only looks whether conntrackd runs: check "process" hears of that from the kernel, and starts no program
#   guide/lb1.conf:15                     vrrp_instance web / virtual_router_id 51                     the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   guide/lb1.conf:16                     vrrp_instance web / priority 150                             it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 150 at most
#   guide/lb1.conf:31, guide/lb2.conf:31  vrrp_instance web / notify /etc/keepalived/notify.sh         notify "web": the last arguments are as from keepalived, but the priority is always 100; one runs after another, for 5m at most
#   guide/lb2.conf:16                     vrrp_instance web / priority 100                             it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 150 at most
#
# ignored: not needed (6)
#   guide/lb1.conf:2                      global_defs / router_id lb1           a node has the name of its agent, lb1
#   guide/lb1.conf:4, guide/lb2.conf:4    global_defs / enable_script_security  security is always on: what root runs may be written by root alone
#   guide/lb1.conf:13, guide/lb2.conf:13  vrrp_instance web / state BACKUP      it is a hint for the start; `prefer` follows the priorities
#   guide/lb2.conf:2                      global_defs / router_id lb2           a node has the name of its agent, lb2
#
# mapped (68)
#   guide/lb1.conf:1, guide/lb2.conf:1    global_defs                                                                                   cluster, and notify blocks: see what stands in it
#   guide/lb1.conf:3, guide/lb2.conf:3    global_defs / script_user keepalived                                                          user
#   guide/lb1.conf:7, guide/lb2.conf:7    vrrp_script conntrackd                                                                        node_check
#   guide/lb1.conf:9, guide/lb2.conf:9    vrrp_script conntrackd / interval 2                                                           check: interval
#   guide/lb1.conf:12, guide/lb2.conf:12  vrrp_instance web                                                                             vip "web"
#   guide/lb1.conf:14, guide/lb2.conf:14  vrrp_instance web / interface eth0                                                            vip: interface
#   guide/lb1.conf:15, guide/lb2.conf:15  vrrp_instance web / virtual_router_id 51                                                      virtual_router: vrid
#   guide/lb1.conf:17, guide/lb2.conf:17  vrrp_instance web / advert_int 1                                                              virtual_router: interval
#   guide/lb1.conf:18, guide/lb2.conf:18  vrrp_instance web / authentication                                                            virtual_router: password
#   guide/lb1.conf:19, guide/lb2.conf:19  vrrp_instance web / authentication / auth_type PASS                                           virtual_router: password
#   guide/lb1.conf:20, guide/lb2.conf:20  vrrp_instance web / authentication / auth_pass …                                              virtual_router: password
#   guide/lb1.conf:22, guide/lb2.conf:22  vrrp_instance web / virtual_ipaddress                                                         vip: address
#   guide/lb1.conf:25, guide/lb2.conf:25  vrrp_instance web / track_interface                                                           node_check: vips, groups
#   guide/lb1.conf:26, guide/lb2.conf:26  vrrp_instance web / track_interface / eth1                                                    node_check "link-eth1": required
#   guide/lb1.conf:28, guide/lb2.conf:28  vrrp_instance web / track_script                                                              node_check: vips, groups
#   guide/lb1.conf:29, guide/lb2.conf:29  vrrp_instance web / track_script / conntrackd                                                 node_check "conntrackd": required
#   guide/lb1.conf:34                     virtual_server 192.0.2.10 80                                                                  service "tcp-192.0.2.10-80"
#   guide/lb1.conf:35, guide/lb2.conf:35  virtual_server 192.0.2.10 80 / delay_loop 5                                                   check: interval
#   guide/lb1.conf:36, guide/lb2.conf:36  virtual_server 192.0.2.10 80 / lb_algo wlc                                                    scheduler
#   guide/lb1.conf:37, guide/lb2.conf:37  virtual_server 192.0.2.10 80 / lb_kind NAT                                                    forward, tunnel
#   guide/lb1.conf:38, guide/lb2.conf:38  virtual_server 192.0.2.10 80 / protocol TCP                                                   protocol
#   guide/lb1.conf:39, guide/lb2.conf:39  virtual_server 192.0.2.10 80 / real_server 10.0.0.11 8080                                     server "10.0.0.11:8080"
#   guide/lb1.conf:40, guide/lb2.conf:40  virtual_server 192.0.2.10 80 / real_server 10.0.0.11 8080 / HTTP_GET                          check "http"
#   guide/lb1.conf:41, guide/lb2.conf:41  virtual_server 192.0.2.10 80 / real_server 10.0.0.11 8080 / HTTP_GET / url                    check: path, status …
#   guide/lb1.conf:42, guide/lb2.conf:42  virtual_server 192.0.2.10 80 / real_server 10.0.0.11 8080 / HTTP_GET / url / path /healthz    path
#   guide/lb1.conf:43, guide/lb2.conf:43  virtual_server 192.0.2.10 80 / real_server 10.0.0.11 8080 / HTTP_GET / url / status_code 200  status
#   guide/lb1.conf:45, guide/lb2.conf:45  virtual_server 192.0.2.10 80 / real_server 10.0.0.11 8080 / HTTP_GET / connect_timeout 3      check: timeout, for the whole probe
#   guide/lb1.conf:48, guide/lb2.conf:48  virtual_server 192.0.2.10 80 / real_server 10.0.0.12 8080                                     server "10.0.0.12:8080"
#   guide/lb1.conf:49, guide/lb2.conf:49  virtual_server 192.0.2.10 80 / real_server 10.0.0.12 8080 / weight 2                          server: weight
#   guide/lb1.conf:50, guide/lb2.conf:50  virtual_server 192.0.2.10 80 / real_server 10.0.0.12 8080 / HTTP_GET                          check "http"
#   guide/lb1.conf:51, guide/lb2.conf:51  virtual_server 192.0.2.10 80 / real_server 10.0.0.12 8080 / HTTP_GET / url                    check: path, status …
#   guide/lb1.conf:52, guide/lb2.conf:52  virtual_server 192.0.2.10 80 / real_server 10.0.0.12 8080 / HTTP_GET / url / path /healthz    path
#   guide/lb1.conf:53, guide/lb2.conf:53  virtual_server 192.0.2.10 80 / real_server 10.0.0.12 8080 / HTTP_GET / url / status_code 200  status
#   guide/lb1.conf:55, guide/lb2.conf:55  virtual_server 192.0.2.10 80 / real_server 10.0.0.12 8080 / HTTP_GET / connect_timeout 3      check: timeout, for the whole probe
#   guide/lb2.conf:34                     virtual_server 192.0.2.10 80                                                                  service "tcp-192.0.2.10-80", as on lb1
#
