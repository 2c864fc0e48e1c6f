# Made from keepalived.conf by `quorate import keepalived`.
#
# unsupported:
#   all-global.conf:2: net_namespace dmz: an agent works in the network namespace that it was started in; start the agent in that namespace, by `ip netns exec` or NetworkNamespacePath= of its unit
#   all-global.conf:15: global_defs / startup_script "/etc/keepalived/start.sh now" root: this version has no script that is run when the agent starts or ends; put it into ExecStartPre= of the agent's unit
#   all-global.conf:17: global_defs / shutdown_script /etc/keepalived/stop.sh: this version has no script that is run when the agent starts or ends; put it into ExecStopPost= of the agent's unit
#   all-global.conf:46: global_defs / enable_snmp_keepalived: there is no SNMP; use the metrics for Prometheus, and notify blocks in place of traps
#   all-global.conf:47: global_defs / enable_snmp_checker: there is no SNMP; use the metrics for Prometheus, and notify blocks in place of traps
#   all-global.conf:48: global_defs / enable_traps: there is no SNMP; use the metrics for Prometheus, and notify blocks in place of traps
#   all-global.conf:49: global_defs / snmp_socket udp:127.0.0.1:705: there is no SNMP; use the metrics for Prometheus, and notify blocks in place of traps
#   all-global.conf:50: global_defs / enable_dbus: there is no D-Bus; use the API, or a notify block
#   all-global.conf:51: global_defs / dbus_service_name org.example.ka: there is no D-Bus; use the API, or a notify block
#   all-global.conf:53: global_defs / notify_fifo_script /usr/local/bin/reader: the agent does not start readers of its pipes; start the reader as a service of its own, which reads the pipe of the notify block
#
# changed meaning:
#   all-global.conf:32: global_defs / vrrp_higher_prio_send_advert yes: the cluster yields without an advert of its own, so that the other does not announce its addresses anew for it; set garp_master_refresh on the directors that stay, if a switch keeps old entries
#   all-global.conf:38: global_defs / vrrp_strict: what the RFCs leave out was left out of the virtual router too; but an owner takes in packets for its address (there is no no_accept)
#   all-global.conf:54: global_defs / vrrp_notify_fifo /run/ka-vrrp.fifo root adm: the pipe belongs to the user of the agent, with mode 0600; make it before the agent starts, for the user that reads it
#   all-global.conf:61: global_defs / lvs_flush_onstop VS: an agent that ends leaves the table, so that connections go on while it is replaced
#   all-global.conf:69: vrrp_instance only / virtual_router_id 1: the directors send the adverts to each other alone, and the nodes would not hear them; add the addresses of the nodes to unicast_peer on all directors before

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# all-global.conf:69, all-global.conf:68, all-global.conf:68, all-global.conf:67
virtual_router "only" {
  vrid    = 1
  version = 2
  peers   = ["10.0.0.1", "10.0.0.2"]
  unicast = true
}

# A virtual IP address, which one node at a time owns.
# all-global.conf:70
vip "only" {
  address        = "10.0.0.3/24"
  interface      = "p33p1.3"
  virtual_router = "only"
}

# Somebody who is told what happens, by exactly one of the blocks in it. A `webhook` and an `email` are sent by the leader, each event once and in order; a `script` is run, and a `fifo` is written, by each node about itself, as keepalived does. notify.md says what is promised.
# all-global.conf:55
notify "lvs-notify-fifo" {
  events = ["health", "service"]

  fifo { path = "/run/ka-lvs.fifo" }
}

# all-global.conf:52
notify "notify-fifo" {

  fifo { path = "/run/ka.fifo" }
}

# all-global.conf:54
notify "vrrp-notify-fifo" {
  events = ["assign"]

  fifo { path = "/run/ka-vrrp.fifo" }
}

# All findings:
# unsupported (10)
#   all-global.conf:2   net_namespace dmz                                                 an agent works in the network namespace that it was started in; start the agent in that namespace, by `ip netns exec` or NetworkNamespacePath= of its unit
#   all-global.conf:15  global_defs / startup_script "/etc/keepalived/start.sh now" root  this version has no script that is run when the agent starts or ends; put it into ExecStartPre= of the agent's unit
#   all-global.conf:17  global_defs / shutdown_script /etc/keepalived/stop.sh             this version has no script that is run when the agent starts or ends; put it into ExecStopPost= of the agent's unit
#   all-global.conf:46  global_defs / enable_snmp_keepalived                              there is no SNMP; use the metrics for Prometheus, and notify blocks in place of traps
#   all-global.conf:47  global_defs / enable_snmp_checker                                 there is no SNMP; use the metrics for Prometheus, and notify blocks in place of traps
#   all-global.conf:48  global_defs / enable_traps                                        there is no SNMP; use the metrics for Prometheus, and notify blocks in place of traps
#   all-global.conf:49  global_defs / snmp_socket udp:127.0.0.1:705                       there is no SNMP; use the metrics for Prometheus, and notify blocks in place of traps
#   all-global.conf:50  global_defs / enable_dbus                                         there is no D-Bus; use the API, or a notify block
#   all-global.conf:51  global_defs / dbus_service_name org.example.ka                    there is no D-Bus; use the API, or a notify block
#   all-global.conf:53  global_defs / notify_fifo_script /usr/local/bin/reader            the agent does not start readers of its pipes; start the reader as a service of its own, which reads the pipe of the notify block
#
# changed meaning (5)
#   all-global.conf:32  global_defs / vrrp_higher_prio_send_advert yes             the cluster yields without an advert of its own, so that the other does not announce its addresses anew for it; set garp_master_refresh on the directors that stay, if a switch keeps old entries
#   all-global.conf:38  global_defs / vrrp_strict                                  what the RFCs leave out was left out of the virtual router too; but an owner takes in packets for its address (there is no no_accept)
#   all-global.conf:54  global_defs / vrrp_notify_fifo /run/ka-vrrp.fifo root adm  the pipe belongs to the user of the agent, with mode 0600; make it before the agent starts, for the user that reads it
#   all-global.conf:61  global_defs / lvs_flush_onstop VS                          an agent that ends leaves the table, so that connections go on while it is replaced
#   all-global.conf:69  vrrp_instance only / virtual_router_id 1                   the directors send the adverts to each other alone, and the nodes would not hear them; add the addresses of the nodes to unicast_peer on all directors before
#
# ignored: not needed (44)
#   all-global.conf:3   instance one                                              an agent is told apart by its name
#   all-global.conf:4   use_pid_dir                                               there are no pid files
#   all-global.conf:5   child_wait_time 10                                        an agent is one process
#   all-global.conf:6   linkbeat_use_polling                                      the state of interfaces comes from the kernel at once; nothing is polled
#   all-global.conf:7   linkbeat_interfaces                                       the state of interfaces comes from the kernel at once; nothing is polled
#   all-global.conf:8   linkbeat_interfaces / eth2                                it is part of linkbeat_interfaces
#   all-global.conf:9   linkbeat_interfaces / enp2s0 ETHTOOL                      it is part of linkbeat_interfaces
#   all-global.conf:12  global_defs / process_names                               an agent is one process, with a real-time thread for the lease where its rights allow
#   all-global.conf:13  global_defs / vrrp_process_name ka_vrrp                   an agent is one process, with a real-time thread for the lease where its rights allow
#   all-global.conf:14  global_defs / lvs_process_name ka_ipvs                    an agent is one process, with a real-time thread for the lease where its rights allow
#   all-global.conf:16  global_defs / startup_script_timeout 5                    there is no such script
#   all-global.conf:18  global_defs / router_id edge_1                            a node has the name of its agent, lb1
#   all-global.conf:19  global_defs / vrrp_mcast_group4 224.0.0.18                it is the default, or the adverts go to each peer
#   all-global.conf:20  global_defs / vrrp_mcast_group6 ff02::12                  it is the default, or no instance makes use of it
#   all-global.conf:22  global_defs / dynamic_interfaces allow_if_changes         interfaces may come and go at any time
#   all-global.conf:23  global_defs / vrrp_garp_master_delay 10                   the new owner announces an address at once, several times, and again while it has it, without being told
#   all-global.conf:24  global_defs / vrrp_garp_master_repeat 1                   the new owner announces an address at once, several times, and again while it has it, without being told
#   all-global.conf:25  global_defs / vrrp_garp_lower_prio_repeat 1               the new owner announces an address at once, several times, and again while it has it, without being told
#   all-global.conf:26  global_defs / vrrp_garp_interval 0.001                    the new owner announces an address at once, several times, and again while it has it, without being told
#   all-global.conf:27  global_defs / vrrp_gna_interval 0.000001                  the new owner announces an address at once, several times, and again while it has it, without being told
#   all-global.conf:28  global_defs / vrrp_min_garp true                          the new owner announces an address at once, several times, and again while it has it, without being told
#   all-global.conf:29  global_defs / vrrp_garp_extra_if all 100                  the new owner announces an address at once, several times, and again while it has it, without being told
#   all-global.conf:30  global_defs / vrrp_vmac_garp_intvl 100                    the new owner announces an address at once, several times, and again while it has it, without being told
#   all-global.conf:31  global_defs / vrrp_lower_prio_no_advert                   an advert with a worse claim is answered at once, as RFC 9568 has it; who has the addresses is the same either way
#   all-global.conf:33  global_defs / vrrp_iptables keepalived_in keepalived_out  the fence has a table or a BPF program of its own
#   all-global.conf:34  global_defs / vrrp_ipsets keepalived keepalived6          the fence has a table or a BPF program of its own
#   all-global.conf:35  global_defs / nftables keepalived                         the fence has a table or a BPF program of its own
#   all-global.conf:36  global_defs / nftables_counters                           the fence has a table or a BPF program of its own
#   all-global.conf:37  global_defs / vrrp_skip_check_adv_addr                    adverts with other addresses count, and the difference is reported
#   all-global.conf:39  global_defs / vrrp_priority -20                           an agent is one process, with a real-time thread for the lease where its rights allow
#   all-global.conf:40  global_defs / checker_priority -20                        an agent is one process, with a real-time thread for the lease where its rights allow
#   all-global.conf:41  global_defs / vrrp_no_swap                                an agent is one process, with a real-time thread for the lease where its rights allow
#   all-global.conf:42  global_defs / vrrp_rt_priority 50                         an agent is one process, with a real-time thread for the lease where its rights allow
#   all-global.conf:43  global_defs / vrrp_cpu_affinity 0 1 2                     an agent is one process, with a real-time thread for the lease where its rights allow
#   all-global.conf:44  global_defs / vrrp_rlimit_rtime 10000                     an agent is one process, with a real-time thread for the lease where its rights allow
#   all-global.conf:45  global_defs / max_auto_priority 99                        an agent is one process, with a real-time thread for the lease where its rights allow
#   all-global.conf:56  global_defs / vrrp_startup_delay 5.5                      a node owns nothing before it has caught up with the cluster and has its lease
#   all-global.conf:57  global_defs / reload_check_config /tmp/reload.log         the configuration is applied as a whole by `quorate apply`, and refused as a whole when it is wrong
#   all-global.conf:58  global_defs / json_version 2                              `quorate status`, the API and the metrics show the state at any time; there are no dump files
#   all-global.conf:59  global_defs / state_dump_file /var/tmp/state              `quorate status`, the API and the metrics show the state at any time; there are no dump files
#   all-global.conf:60  global_defs / umask IXUSR|IRWXG|IRWXO                     the files of an agent are for its user alone
#   all-global.conf:62  global_defs / checker_log_all_failures on                 every probe that fails is counted, and `quorate events` has the verdicts
#   all-global.conf:63  global_defs / random_seed 7                               no number is taken by chance
#   all-global.conf:64  global_defs / include_check                               it says which includes have to find a file, and was followed here
#
# mapped (11)
#   all-global.conf:11  global_defs                                           cluster, and notify blocks: see what stands in it
#   all-global.conf:21  global_defs / default_interface p33p1.3               vip: interface, of instances without one
#   all-global.conf:52  global_defs / notify_fifo /run/ka.fifo                notify "notify-fifo": fifo
#   all-global.conf:55  global_defs / lvs_notify_fifo /run/ka-lvs.fifo        notify "lvs-notify-fifo": fifo
#   all-global.conf:66  vrrp_instance only                                    vip "only"
#   all-global.conf:67  vrrp_instance only / unicast_src_ip 10.0.0.1          virtual_router: peers
#   all-global.conf:68  vrrp_instance only / unicast_peer                     virtual_router: unicast
#   all-global.conf:68  vrrp_instance only / unicast_peer / 10.0.0.2          virtual_router: peers
#   all-global.conf:69  vrrp_instance only / virtual_router_id 1              virtual_router: vrid
#   all-global.conf:70  vrrp_instance only / virtual_ipaddress                vip: address
#   all-global.conf:70  vrrp_instance only / virtual_ipaddress / 10.0.0.3/24  vip "only": address
#
