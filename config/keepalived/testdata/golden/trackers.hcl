# Made from keepalived.conf by `quorate import keepalived`.
#
# mistake in the source:
#   trackers/lb1.conf:90, trackers/lb2.conf:52: vrrp_instance T / track_script / up weight 40: it is tracked already, and keepalived leaves this one out; take one out
#   trackers/lb1.conf:107: vrrp_instance T / track_bfd / nobody: there is no bfd_instance of this name; correct the name, or take it out
#   trackers/lb1.conf:108: vrrp_instance T / track_bfd / peer weight 3: it is tracked already, and keepalived leaves this one out; take one out
#   trackers/lb2.conf:64: vrrp_instance T / track_bfd / peer: there is no bfd_instance of this name; correct the name, or take it out
#
# unsupported:
#   trackers/lb1.conf:7, trackers/lb2.conf:7: vrrp_script relative: "check.sh" has no absolute path, and there is no shell to look for it; name the program by its absolute path, then import again
#   trackers/lb1.conf:29, trackers/lb2.conf:29: track_file maintenance / init_file 0: the agent writes no files that it watches; make the file by tmpfiles.d
#   trackers/lb1.conf:69: bfd_instance alone: nothing here watches it, and no session is kept for the neighbour alone; add a node_check with a check "bfd", if the neighbour relies on it
#   trackers/lb1.conf:74, trackers/lb2.conf:36: vrrp_instance T / dont_track_primary: a node without the interface of an address cannot own it; nothing, unless the link is expected to be down
#   trackers/lb1.conf:84, trackers/lb2.conf:46: vrrp_instance T / track_interface / eth3 weight 5 reverse: reverse: a link that is up cannot make a node worse; write a script that fails where the node is to be worse, track it in its place, and import again
#   trackers/lb1.conf:89: vrrp_instance T / track_script / relative: "check.sh" has no absolute path, and there is no shell to look for it, see trackers/lb1.conf:7
#   trackers/lb2.conf:51: vrrp_instance T / track_script / relative: "check.sh" has no absolute path, and there is no shell to look for it, see trackers/lb2.conf:7
#
# changed meaning:
#   trackers/lb1.conf:1: vrrp_script up: node_check is carried out on [lb1] alone, as the other directors do not have it, or not like this; look whether the difference is meant
#   trackers/lb1.conf:1, trackers/lb2.conf:1: vrrp_script up / script "/usr/bin/pgrep -x nginx": it only looks whether nginx runs: check "process" hears of that from the kernel, and starts no program
#   trackers/lb1.conf:3, trackers/lb2.conf:3: vrrp_script up / weight 20: node_check "up": weight = -20: what a node had more while the check passes, it has less while it fails, which comes to the same
#   trackers/lb1.conf:4, trackers/lb2.conf:4: vrrp_script inverted: reverse: a shell turns the exit status round, so that the check fails while the script passes; a run that takes too long fails as well
#   trackers/lb1.conf:4, trackers/lb2.conf:4: vrrp_script inverted / script "/bin/busy": it runs as quorate_script where there is such a user, else as nobody; keepalived takes keepalived_script, else root; set user = "…" if that does not do
#   trackers/lb1.conf:5, trackers/lb2.conf:5: vrrp_script inverted / weight -10 reverse: node_check "inverted": weight = -10: what a node had more while the check passes, it has less while it fails, which comes to the same
#   trackers/lb1.conf:22, trackers/lb2.conf:22: vrrp_track_process worker / fork_delay 1: there is one delay for both directions, and the longer one was taken; see rise, fall and fast_interval, if the directions have to differ
#   trackers/lb1.conf:23, trackers/lb2.conf:23: vrrp_track_process worker / terminate_delay 2: there is one delay for both directions, and the longer one was taken; see rise, fall and fast_interval, if the directions have to differ
#   trackers/lb1.conf:26, trackers/lb2.conf:26: track_file maintenance: a script looks into the file every second, as quorate_script or nobody: any number but 0 is a failure; better in the long run: check "file" { file = "/etc/keepalived/maintenance.quorate" }, which is noticed at once, and have up or drain written into that file
#   trackers/lb1.conf:31, trackers/lb2.conf:31: vrrp_track_file old_name: a script looks into the file every second, as quorate_script or nobody: a number below 0 is a failure; how far below, and what is above, changes nothing: scores of nodes have steps of node_checks; better in the long run: check "file" { file = "/run/old.quorate" }, which is noticed at once, and have up or drain written into that file
#   trackers/lb1.conf:34, trackers/lb1.conf:39: vrrp_track_process: node_check is carried out on [lb1] alone, as the other directors do not have it, or not like this; look whether the difference is meant
#   trackers/lb1.conf:46: track_file step: a script looks into the file every second, as quorate_script or nobody: a number above 0 is a failure; how far above, and what is below, changes nothing: scores of nodes have steps of node_checks; better in the long run: check "file" { file = "/run/step.quorate" }, which is noticed at once, and have up or drain written into that file
#   trackers/lb1.conf:50, trackers/lb1.conf:62: bfd_instance: node_check is carried out on [lb1] alone, as the other directors do not have it, or not like this; look whether the difference is meant
#   trackers/lb1.conf:54: bfd_instance peer / min_tx 3.3125: transmit is 10ms: it can be from 10ms to 1m0s; look whether that will do
#   trackers/lb1.conf:57: bfd_instance peer / max_hops 2: over one hop packets are heard with a TTL of 255 alone, so that nobody beyond the link can forge them; have the neighbour send with 255, or use multihop at both ends
#   trackers/lb1.conf:58: bfd_instance peer / ttl 64: all packets leave with 255; look whether the neighbour wants another number
#   trackers/lb1.conf:75: vrrp_instance T / virtual_router_id 8: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   trackers/lb1.conf:76: vrrp_instance T / priority 110: beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254; this director comes to as much, with its weights, and of two equal ones the higher address has the VIPs; see that it comes to 253 or less before the cluster is to take over
#   trackers/lb1.conf:76, trackers/lb2.conf:38: priority: it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254
#   trackers/lb1.conf:77, trackers/lb2.conf:39: vrrp_instance T / preempt_delay 30: hold_down = "30s" is for the whole cluster, and counts from when a node came back after a fence or a VIP failed over; look whether that will do for all VIPs
#   trackers/lb2.conf:1: vrrp_script up: node_check is carried out on [lb2] alone, as the other directors do not have it, or not like this; look whether the difference is meant

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
  hold_down  = "30s"
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# trackers/lb1.conf:75, trackers/lb2.conf:37
virtual_router "T" {
  vrid          = 8
  version       = 2
  preempt_delay = "30s"
}

# A virtual IP address, which one node at a time owns.
# trackers/lb1.conf:79, trackers/lb2.conf:41
vip "T" {
  address        = "10.9.0.1/24"
  interface      = "eth0"
  prefer         = ["lb1", "lb2"]
  preempt        = true
  virtual_router = "T"
}

# What a director has to have in order to own VIPs, or to be preferred as their owner; each director checks it for itself. Checks that ask over the network ask 127.0.0.1, at the `port` that they name. It passes on a node when all checks in it do.
# trackers/lb1.conf:34
node_check "exactly" {
  required = true
  vips     = ["T"]
  nodes    = ["lb1"]

  check "process" {
    interval  = "2s"
    timeout   = "1s"
    rise      = 1
    fall      = 1
    process   = "exact one"
    arguments = ["-a"]
    least     = 0
    most      = 2
  }
}

# trackers/lb1.conf:62
node_check "far" {
  weight = -15
  vips   = ["T"]
  nodes  = ["lb1"]

  check "bfd" {
    interval   = "2s"
    timeout    = "1s"
    rise       = 1
    fall       = 1
    address    = "2001:db8:ffff::1"
    transmit   = "10ms"
    receive    = "10ms"
    multiplier = 5
    multihop   = true
    min_ttl    = 250
  }
}

# trackers/lb1.conf:4, trackers/lb2.conf:4
node_check "inverted" {
  weight = -10
  vips   = ["T"]

  check "script" {
    interval = "1s"
    timeout  = "1s"
    rise     = 1
    fall     = 1
    command  = ["/bin/sh", "-c", "! \"$0\" \"$@\"", "/bin/busy"]
  }
}

# trackers/lb1.conf:82, trackers/lb2.conf:44
node_check "link-eth1" {
  required = true
  vips     = ["T"]

  check "interface" {
    interval  = "2s"
    timeout   = "1s"
    rise      = 1
    fall      = 1
    interface = "eth1"
  }
}

# trackers/lb1.conf:83, trackers/lb2.conf:45
node_check "link-eth2" {
  weight = -30
  vips   = ["T"]

  check "interface" {
    interval  = "2s"
    timeout   = "1s"
    rise      = 1
    fall      = 1
    interface = "eth2"
  }
}

# trackers/lb1.conf:26, trackers/lb2.conf:26
node_check "maintenance" {
  required = true
  vips     = ["T"]

  check "script" {
    interval = "1s"
    timeout  = "1s"
    rise     = 1
    fall     = 1
    command  = ["/bin/sh", "-c", "v=; { read -r v <\"$0\"; } 2>/dev/null; case \"$v\" in \"\"|*[!0-9-]*) v=0;; esac; [ \"$v\" -eq 0 ]", "/etc/keepalived/maintenance"]
  }
}

# trackers/lb1.conf:15, trackers/lb2.conf:15
node_check "never" {
  required = true
  vips     = ["T"]

  check "process" {
    interval = "2s"
    timeout  = "1s"
    rise     = 1
    fall     = 1
    process  = "bad daemon"
    least    = 0
    absent   = true
  }
}

# trackers/lb1.conf:39
node_check "none_of_it" {
  weight = -10
  vips   = ["T"]
  nodes  = ["lb1"]

  check "process" {
    interval = "2s"
    timeout  = "1s"
    rise     = 1
    fall     = 1
    process  = "plain"
    match    = "all"
    least    = 0
    absent   = true
    delay    = "1s"
  }
}

# trackers/lb1.conf:31, trackers/lb2.conf:31
node_check "old_name" {
  weight = -2
  vips   = ["T"]

  check "script" {
    interval = "1s"
    timeout  = "1s"
    rise     = 1
    fall     = 1
    command  = ["/bin/sh", "-c", "v=; { read -r v <\"$0\"; } 2>/dev/null; case \"$v\" in \"\"|*[!0-9-]*) v=0;; esac; [ \"$v\" -ge 0 ]", "/run/old"]
  }
}

# trackers/lb1.conf:50
node_check "peer" {
  required = true
  vips     = ["T"]
  nodes    = ["lb1"]

  check "bfd" {
    interval   = "2s"
    timeout    = "1s"
    rise       = 1
    fall       = 1
    address    = "10.9.0.254"
    source     = "10.9.0.2"
    transmit   = "10ms"
    receive    = "50ms"
    multiplier = 3
    passive    = true
  }
}

# trackers/lb1.conf:8, trackers/lb2.conf:8
node_check "proxy" {
  weight = -40
  vips   = ["T"]

  check "process" {
    interval  = "2s"
    timeout   = "1s"
    rise      = 1
    fall      = 1
    process   = "haproxy"
    arguments = ["-f", "/etc/haproxy.cfg"]
    match     = "all"
    least     = 2
    most      = 4
    delay     = "2.5s"
  }
}

# trackers/lb1.conf:46
node_check "step" {
  weight = -3
  vips   = ["T"]
  nodes  = ["lb1"]

  check "script" {
    interval = "1s"
    timeout  = "1s"
    rise     = 1
    fall     = 1
    command  = ["/bin/sh", "-c", "v=; { read -r v <\"$0\"; } 2>/dev/null; case \"$v\" in \"\"|*[!0-9-]*) v=0;; esac; [ \"$v\" -le 0 ]", "/run/step"]
  }
}

# trackers/lb1.conf:1
node_check "up" {
  weight = -20
  vips   = ["T"]
  nodes  = ["lb1"]

  check "process" {
    interval = "2s"
    timeout  = "2s"
    rise     = 1
    fall     = 1
    process  = "nginx"
    least    = 1
  }
}

# trackers/lb2.conf:1
node_check "up-2" {
  weight = -20
  vips   = ["T"]
  nodes  = ["lb2"]

  check "process" {
    interval = "3s"
    timeout  = "3s"
    rise     = 1
    fall     = 1
    process  = "nginx"
    least    = 1
  }
}

# trackers/lb1.conf:19, trackers/lb2.conf:19
node_check "worker" {
  required = true
  vips     = ["T"]

  check "process" {
    interval = "2s"
    timeout  = "1s"
    rise     = 1
    fall     = 1
    process  = "worker"
    match    = "all"
    least    = 1
    delay    = "2s"
  }
}

# All findings:
# mistake in the source (5)
#   trackers/lb1.conf:90, trackers/lb2.conf:52  vrrp_instance T / track_script / up weight 40  it is tracked already, and keepalived leaves this one out; take one out
#   trackers/lb1.conf:107                       vrrp_instance T / track_bfd / nobody           there is no bfd_instance of this name; correct the name, or take it out
#   trackers/lb1.conf:108                       vrrp_instance T / track_bfd / peer weight 3    it is tracked already, and keepalived leaves this one out; take one out
#   trackers/lb2.conf:64                        vrrp_instance T / track_bfd / peer             there is no bfd_instance of this name; correct the name, or take it out
#
# unsupported (14)
#   trackers/lb1.conf:7, trackers/lb2.conf:7    vrrp_script relative                                       "check.sh" has no absolute path, and there is no shell to look for it; name the program by its absolute path, then import again
#   trackers/lb1.conf:7, trackers/lb2.conf:7    vrrp_script relative / script "check.sh"                   it is part of vrrp_script
#   trackers/lb1.conf:29, trackers/lb2.conf:29  track_file maintenance / init_file 0                       the agent writes no files that it watches; make the file by tmpfiles.d
#   trackers/lb1.conf:69                        bfd_instance alone                                         nothing here watches it, and no session is kept for the neighbour alone; add a node_check with a check "bfd", if the neighbour relies on it
#   trackers/lb1.conf:70                        bfd_instance alone / neighbor_ip fe80::1                   it is part of bfd_instance
#   trackers/lb1.conf:74, trackers/lb2.conf:36  vrrp_instance T / dont_track_primary                       a node without the interface of an address cannot own it; nothing, unless the link is expected to be down
#   trackers/lb1.conf:84, trackers/lb2.conf:46  vrrp_instance T / track_interface / eth3 weight 5 reverse  reverse: a link that is up cannot make a node worse; write a script that fails where the node is to be worse, track it in its place, and import again
#   trackers/lb1.conf:89                        vrrp_instance T / track_script / relative                  "check.sh" has no absolute path, and there is no shell to look for it, see trackers/lb1.conf:7
#   trackers/lb2.conf:51                        vrrp_instance T / track_script / relative                  "check.sh" has no absolute path, and there is no shell to look for it, see trackers/lb2.conf:7
#
# changed meaning (34)
#   trackers/lb1.conf:1                         vrrp_script up                                     node_check is carried out on [lb1] alone, as the other directors do not have it, or not like this; look whether the difference is meant
#   trackers/lb1.conf:1, trackers/lb2.conf:1    vrrp_script up / script "/usr/bin/pgrep -x nginx"  it only looks whether nginx runs: check "process" hears of that from the kernel, and starts no program
#   trackers/lb1.conf:3, trackers/lb2.conf:3    vrrp_script up / weight 20                         node_check "up": weight = -20: what a node had more while the check passes, it has less while it fails, which comes to the same
#   trackers/lb1.conf:4, trackers/lb2.conf:4    vrrp_script inverted                               reverse: a shell turns the exit status round, so that the check fails while the script passes; a run that takes too long fails as well
#   trackers/lb1.conf:4, trackers/lb2.conf:4    vrrp_script inverted / script "/bin/busy"          it runs as quorate_script where there is such a user, else as nobody; keepalived takes keepalived_script, else root; set user = "…" if that does not do
#   trackers/lb1.conf:5, trackers/lb2.conf:5    vrrp_script inverted / weight -10 reverse          node_check "inverted": weight = -10: what a node had more while the check passes, it has less while it fails, which comes to the same
#   trackers/lb1.conf:22, trackers/lb2.conf:22  vrrp_track_process worker / fork_delay 1           there is one delay for both directions, and the longer one was taken; see rise, fall and fast_interval, if the directions have to differ
#   trackers/lb1.conf:23, trackers/lb2.conf:23  vrrp_track_process worker / terminate_delay 2      there is one delay for both directions, and the longer one was taken; see rise, fall and fast_interval, if the directions have to differ
#   trackers/lb1.conf:26, trackers/lb2.conf:26  track_file maintenance                             a script looks into the file every second, as quorate_script or nobody: any number but 0 is a failure; better in the long run: check "file" { file = "/etc/keepalived/maintenance.quorate" }, which is noticed at once, and have up or drain written into that file
#   trackers/lb1.conf:31, trackers/lb2.conf:31  vrrp_track_file old_name                           a script looks into the file every second, as quorate_script or nobody: a number below 0 is a failure; how far below, and what is above, changes nothing: scores of nodes have steps of node_checks; better in the long run: check "file" { file = "/run/old.quorate" }, which is noticed at once, and have up or drain written into that file
#   trackers/lb1.conf:34                        vrrp_track_process exactly                         node_check is carried out on [lb1] alone, as the other directors do not have it, or not like this; look whether the difference is meant
#   trackers/lb1.conf:39                        vrrp_track_process none_of_it                      node_check is carried out on [lb1] alone, as the other directors do not have it, or not like this; look whether the difference is meant
#   trackers/lb1.conf:46                        track_file step                                    a script looks into the file every second, as quorate_script or nobody: a number above 0 is a failure; how far above, and what is below, changes nothing: scores of nodes have steps of node_checks; better in the long run: check "file" { file = "/run/step.quorate" }, which is noticed at once, and have up or drain written into that file
#   trackers/lb1.conf:50                        bfd_instance peer                                  node_check is carried out on [lb1] alone, as the other directors do not have it, or not like this; look whether the difference is meant
#   trackers/lb1.conf:54                        bfd_instance peer / min_tx 3.3125                  transmit is 10ms: it can be from 10ms to 1m0s; look whether that will do
#   trackers/lb1.conf:57                        bfd_instance peer / max_hops 2                     over one hop packets are heard with a TTL of 255 alone, so that nobody beyond the link can forge them; have the neighbour send with 255, or use multihop at both ends
#   trackers/lb1.conf:58                        bfd_instance peer / ttl 64                         all packets leave with 255; look whether the neighbour wants another number
#   trackers/lb1.conf:62                        bfd_instance far                                   node_check is carried out on [lb1] alone, as the other directors do not have it, or not like this; look whether the difference is meant
#   trackers/lb1.conf:75                        vrrp_instance T / virtual_router_id 8              the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   trackers/lb1.conf:76                        vrrp_instance T / priority 110                     beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254; this director comes to as much, with its weights, and of two equal ones the higher address has the VIPs; see that it comes to 253 or less before the cluster is to take over
#   trackers/lb1.conf:76                        vrrp_instance T / priority 110                     it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254
#   trackers/lb1.conf:77, trackers/lb2.conf:39  vrrp_instance T / preempt_delay 30                 hold_down = "30s" is for the whole cluster, and counts from when a node came back after a fence or a VIP failed over; look whether that will do for all VIPs
#   trackers/lb2.conf:1                         vrrp_script up                                     node_check is carried out on [lb2] alone, as the other directors do not have it, or not like this; look whether the difference is meant
#   trackers/lb2.conf:38                        vrrp_instance T / priority 100                     it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254
#
# ignored: not needed (11)
#   trackers/lb1.conf:6, trackers/lb2.conf:6    vrrp_script nobody_asks                       nothing tracks it, and keepalived does not use it either
#   trackers/lb1.conf:6, trackers/lb2.conf:6    vrrp_script nobody_asks / script "/bin/true"  it is part of vrrp_script
#   trackers/lb1.conf:24, trackers/lb2.conf:24  vrrp_track_process worker / full_command      a name is compared with the command line as well
#   trackers/lb1.conf:31, trackers/lb2.conf:31  vrrp_track_file old_name                      vrrp_track_file is an old spelling of track_file, and taken for it
#   trackers/lb1.conf:55                        bfd_instance peer / idle_tx 2000              a session that is not up sends once a second
#   trackers/lb1.conf:60                        bfd_instance peer / vrrp                      a session is for the checks that name it
#   trackers/lb1.conf:67                        bfd_instance far / checker                    a session is for the checks that name it
#
# mapped (94)
#   trackers/lb1.conf:2                          vrrp_script up / interval 2                                     check: interval
#   trackers/lb1.conf:8, trackers/lb2.conf:8     vrrp_track_process proxy                                        node_check
#   trackers/lb1.conf:9, trackers/lb2.conf:9     vrrp_track_process proxy / process haproxy -f /etc/haproxy.cfg  check "process": process, arguments
#   trackers/lb1.conf:10, trackers/lb2.conf:10   vrrp_track_process proxy / quorum 2                             check: least
#   trackers/lb1.conf:11, trackers/lb2.conf:11   vrrp_track_process proxy / quorum_max 4                         check: most
#   trackers/lb1.conf:12, trackers/lb2.conf:12   vrrp_track_process proxy / delay 2.5                            check: delay
#   trackers/lb1.conf:13, trackers/lb2.conf:13   vrrp_track_process proxy / weight -40                           node_check "proxy": weight = -40
#   trackers/lb1.conf:15, trackers/lb2.conf:15   vrrp_track_process never                                        node_check
#   trackers/lb1.conf:16, trackers/lb2.conf:16   vrrp_track_process never / process "bad daemon"                 check "process": process, arguments
#   trackers/lb1.conf:17, trackers/lb2.conf:17   vrrp_track_process never / quorum_max 0                         check: most
#   trackers/lb1.conf:19, trackers/lb2.conf:19   vrrp_track_process worker                                       node_check
#   trackers/lb1.conf:20, trackers/lb2.conf:20   vrrp_track_process worker / process worker                      check "process": process, arguments
#   trackers/lb1.conf:21, trackers/lb2.conf:21   vrrp_track_process worker / param_match initial                 check: match
#   trackers/lb1.conf:27, trackers/lb2.conf:27   track_file maintenance / file /etc/keepalived/maintenance       check "script": command
#   trackers/lb1.conf:28, trackers/lb2.conf:28   track_file maintenance / weight 0                               node_check "maintenance": required
#   trackers/lb1.conf:32, trackers/lb2.conf:32   track_file old_name / file "/run/old"                           check "script": command
#   trackers/lb1.conf:35                         vrrp_track_process exactly / process "exact one" -a             check "process": process, arguments
#   trackers/lb1.conf:36                         vrrp_track_process exactly / param_match partial                check: match
#   trackers/lb1.conf:37                         vrrp_track_process exactly / quorum 3                           check: least
#   trackers/lb1.conf:40                         vrrp_track_process none_of_it / process plain                   check "process": process, arguments
#   trackers/lb1.conf:41                         vrrp_track_process none_of_it / param_match initial             check: match
#   trackers/lb1.conf:42                         vrrp_track_process none_of_it / terminate_delay 1               check: delay
#   trackers/lb1.conf:43                         vrrp_track_process none_of_it / fork_delay 1                    check: delay
#   trackers/lb1.conf:44                         vrrp_track_process none_of_it / weight 10 reverse               node_check "none_of_it": weight = -10
#   trackers/lb1.conf:47                         track_file step / file /run/step                                check "script": command
#   trackers/lb1.conf:48                         track_file step / weight -3                                     node_check "step": weight = -3
#   trackers/lb1.conf:51                         bfd_instance peer / neighbor_ip 10.9.0.254                      check "bfd": address
#   trackers/lb1.conf:52                         bfd_instance peer / source_ip 10.9.0.2                          check: source
#   trackers/lb1.conf:53                         bfd_instance peer / min_rx 50                                   check: receive
#   trackers/lb1.conf:56                         bfd_instance peer / multiplier 3                                check: multiplier
#   trackers/lb1.conf:59                         bfd_instance peer / passive                                     check: passive = true
#   trackers/lb1.conf:63                         bfd_instance far / neighbour_ip 2001:db8:ffff::1                check "bfd": address
#   trackers/lb1.conf:64                         bfd_instance far / multihop                                     check: multihop
#   trackers/lb1.conf:65                         bfd_instance far / max_hops 5                                   check: min_ttl = 250
#   trackers/lb1.conf:66                         bfd_instance far / weight -15                                   node_check "far": weight = -15
#   trackers/lb1.conf:72, trackers/lb2.conf:34   vrrp_instance T                                                 vip "T"
#   trackers/lb1.conf:73, trackers/lb2.conf:35   vrrp_instance T / interface eth0                                vip: interface
#   trackers/lb1.conf:75, trackers/lb2.conf:37   vrrp_instance T / virtual_router_id 8                           virtual_router: vrid
#   trackers/lb1.conf:78, trackers/lb2.conf:40   vrrp_instance T / virtual_ipaddress                             vip: address
#   trackers/lb1.conf:79, trackers/lb2.conf:41   vrrp_instance T / virtual_ipaddress / 10.9.0.1/24               vip "T": address
#   trackers/lb1.conf:81, trackers/lb2.conf:43   vrrp_instance T / track_interface                               node_check: vips, groups
#   trackers/lb1.conf:82, trackers/lb2.conf:44   vrrp_instance T / track_interface / eth1                        node_check "link-eth1": required
#   trackers/lb1.conf:83, trackers/lb2.conf:45   vrrp_instance T / track_interface / eth2 weight -30             node_check "link-eth2": weight = -30
#   trackers/lb1.conf:86, trackers/lb2.conf:48   vrrp_instance T / track_script                                  node_check: vips, groups
#   trackers/lb1.conf:87, trackers/lb2.conf:49   vrrp_instance T / track_script / up                             node_check "up": weight = -20
#   trackers/lb1.conf:88, trackers/lb2.conf:50   vrrp_instance T / track_script / inverted                       node_check "inverted": weight = -10
#   trackers/lb1.conf:92, trackers/lb2.conf:54   vrrp_instance T / track_process                                 node_check: vips, groups
#   trackers/lb1.conf:93, trackers/lb2.conf:55   vrrp_instance T / track_process / proxy                         node_check "proxy": weight = -40
#   trackers/lb1.conf:94, trackers/lb2.conf:56   vrrp_instance T / track_process / never                         node_check "never": required
#   trackers/lb1.conf:95, trackers/lb2.conf:57   vrrp_instance T / track_process / worker weight 0               node_check "worker": required
#   trackers/lb1.conf:96                         vrrp_instance T / track_process / exactly weight 0 reverse      node_check "exactly": required
#   trackers/lb1.conf:97                         vrrp_instance T / track_process / none_of_it                    node_check "none_of_it": weight = -10
#   trackers/lb1.conf:99, trackers/lb2.conf:59   vrrp_instance T / track_file                                    node_check: vips, groups
#   trackers/lb1.conf:100, trackers/lb2.conf:60  vrrp_instance T / track_file / maintenance                      node_check "maintenance": required
#   trackers/lb1.conf:101, trackers/lb2.conf:61  vrrp_instance T / track_file / old_name weight 2                node_check "old_name": weight = -2
#   trackers/lb1.conf:102                        vrrp_instance T / track_file / step                             node_check "step": weight = -3
#   trackers/lb1.conf:104, trackers/lb2.conf:63  vrrp_instance T / track_bfd                                     node_check: vips, groups
#   trackers/lb1.conf:105                        vrrp_instance T / track_bfd / peer                              node_check "peer": required
#   trackers/lb1.conf:106                        vrrp_instance T / track_bfd / far                               node_check "far": weight = -15
#   trackers/lb2.conf:2                          vrrp_script up / interval 3                                     check: interval
#
