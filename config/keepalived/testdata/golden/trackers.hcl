# Made from keepalived.conf by `quorate import keepalived`.
#
# unsupported:
#   trackers/lb1.conf:4, trackers/lb2.conf:4: vrrp_script inverted: its weight is reversed
#   trackers/lb1.conf:5, trackers/lb2.conf:5: vrrp_script inverted / weight -10 reverse: reverse: a check that passes cannot make a node worse; write a script that fails where this one passes, and leave reverse out
#   trackers/lb1.conf:7, trackers/lb2.conf:7: vrrp_script relative: "check.sh" has no absolute path, and there is no shell to look for it; name the program by its absolute path, then import again
#   trackers/lb1.conf:15, trackers/lb2.conf:15: vrrp_track_process never: quorum_max 0: a check cannot fail because a program runs; write a script for it, then import again
#   trackers/lb1.conf:26, trackers/lb2.conf:26: track_file maintenance: keepalived adds the number in the file, times the weight, to the priority, or takes what is not 0 for a failure; check "file" reads a word, and 0 is a failure; add node_check "maintenance" with check "file" { file = "/etc/keepalived/maintenance.quorate" } and required = true, and have up or drain written into that file
#   trackers/lb1.conf:29, trackers/lb2.conf:29: track_file maintenance / init_file 0: the agent writes no files that it watches; make the file by tmpfiles.d
#   trackers/lb1.conf:31, trackers/lb2.conf:31: vrrp_track_file old_name: keepalived adds the number in the file, times the weight, to the priority, or takes what is not 0 for a failure; check "file" reads a word, and 0 is a failure; add node_check "old_name" with check "file" { file = "/run/old.quorate" } and required = true, and have up or drain written into that file
#   trackers/lb1.conf:36, trackers/lb2.conf:36: vrrp_instance T / dont_track_primary: a node without the interface of an address cannot own it; nothing, unless the link is expected to be down
#   trackers/lb1.conf:37, trackers/lb2.conf:37: vrrp_instance T / virtual_router_id 8: this version does not speak VRRP, and needs none inside the cluster; keep the number: it matters beside a keepalived that stays
#   trackers/lb1.conf:46, trackers/lb2.conf:46: vrrp_instance T / track_interface / eth3 weight 5 reverse: reverse: a check that passes cannot make a node worse; write a script that fails where this one passes, and track it without reverse
#   trackers/lb1.conf:50: vrrp_instance T / track_script / inverted: its weight is reversed, see trackers/lb1.conf:5
#   trackers/lb1.conf:51: vrrp_instance T / track_script / relative: vrrp_script relative has become nothing, see trackers/lb1.conf:7
#   trackers/lb1.conf:56: vrrp_instance T / track_process / never: vrrp_track_process never has become nothing, see trackers/lb1.conf:15
#   trackers/lb1.conf:60: vrrp_instance T / track_file / maintenance: track_file maintenance has become nothing, see trackers/lb1.conf:26
#   trackers/lb1.conf:61: vrrp_instance T / track_file / old_name weight 2: track_file old_name has become nothing, see trackers/lb1.conf:31
#   trackers/lb1.conf:63, trackers/lb2.conf:63: vrrp_instance T / track_bfd: sessions of BFD are not taken over; write a check "bfd" by hand, in a node_check or a service: see docs/health.md; a node that falls silent is noticed by its lease within half a second
#   trackers/lb2.conf:50: vrrp_instance T / track_script / inverted: its weight is reversed, see trackers/lb2.conf:5
#   trackers/lb2.conf:51: vrrp_instance T / track_script / relative: vrrp_script relative has become nothing, see trackers/lb2.conf:7
#   trackers/lb2.conf:56: vrrp_instance T / track_process / never: vrrp_track_process never has become nothing, see trackers/lb2.conf:15
#   trackers/lb2.conf:60: vrrp_instance T / track_file / maintenance: track_file maintenance has become nothing, see trackers/lb2.conf:26
#   trackers/lb2.conf:61: vrrp_instance T / track_file / old_name weight 2: track_file old_name has become nothing, see trackers/lb2.conf:31
#
# changed meaning:
#   trackers/lb1.conf:1: vrrp_script up: node_check is carried out on [lb1] alone, as the other directors do not have it, or not like this; look whether the difference is meant
#   trackers/lb1.conf:1, trackers/lb2.conf:1: vrrp_script up / script "/usr/bin/pgrep -x nginx": it only looks whether nginx runs: check "process" hears of that from the kernel, and starts no program
#   trackers/lb1.conf:3, trackers/lb2.conf:3: vrrp_script up / weight 20: node_check "up": weight = -20: what a node had more while the check passes, it has less while it fails, which comes to the same
#   trackers/lb1.conf:4, trackers/lb2.conf:4: vrrp_script inverted / script "/bin/busy": it runs as quorate_script where there is such a user, else as nobody; keepalived takes keepalived_script, else root; set user = "…" if that does not do
#   trackers/lb1.conf:9, trackers/lb2.conf:9: vrrp_track_process proxy / process haproxy -f /etc/haproxy.cfg: the arguments are what the command line begins with; keepalived wants these and no more
#   trackers/lb1.conf:21, trackers/lb2.conf:21: vrrp_track_process worker / param_match initial: the arguments are what the command line begins with
#   trackers/lb1.conf:22, trackers/lb2.conf:22: vrrp_track_process worker / fork_delay 1: there is one delay for both directions, and the longer one was taken
#   trackers/lb1.conf:23, trackers/lb2.conf:23: vrrp_track_process worker / terminate_delay 2: there is one delay for both directions, and the longer one was taken
#   trackers/lb1.conf:39, trackers/lb2.conf:39: vrrp_instance T / preempt_delay 30: hold_down = "30s" is for the whole cluster, and counts from when a node came back after a fence or a VIP failed over; look whether that will do for all VIPs
#   trackers/lb1.conf:52, trackers/lb2.conf:52: vrrp_instance T / track_script / up weight 40: node_check "up-40": weight = -40: what a node had more while the check passes, it has less while it fails, which comes to the same
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

# A virtual IP address, which one node at a time owns.
# trackers/lb1.conf:41, trackers/lb2.conf:41
vip "T" {
  address   = "10.9.0.1/24"
  interface = "eth0"
  prefer    = ["lb1", "lb2"]
  preempt   = true
}

# What a director has to have in order to own VIPs, or to be preferred as their owner; each director checks it for itself. Checks that ask over the network ask 127.0.0.1, at the `port` that they name. It passes on a node when all checks in it do.
# trackers/lb1.conf:44, trackers/lb2.conf:44
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

# trackers/lb1.conf:45, trackers/lb2.conf:45
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
    least     = 2
    most      = 4
    delay     = "2.5s"
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

# trackers/lb1.conf:1
node_check "up-40" {
  weight = -40
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
node_check "up-40-2" {
  weight = -40
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
    least    = 1
    delay    = "2s"
  }
}

# All findings:
# unsupported (46)
#   trackers/lb1.conf:4, trackers/lb2.conf:4    vrrp_script inverted                                       its weight is reversed
#   trackers/lb1.conf:5, trackers/lb2.conf:5    vrrp_script inverted / weight -10 reverse                  reverse: a check that passes cannot make a node worse; write a script that fails where this one passes, and leave reverse out
#   trackers/lb1.conf:7, trackers/lb2.conf:7    vrrp_script relative                                       "check.sh" has no absolute path, and there is no shell to look for it; name the program by its absolute path, then import again
#   trackers/lb1.conf:7, trackers/lb2.conf:7    vrrp_script relative / script "check.sh"                   it is part of vrrp_script
#   trackers/lb1.conf:15, trackers/lb2.conf:15  vrrp_track_process never                                   quorum_max 0: a check cannot fail because a program runs; write a script for it, then import again
#   trackers/lb1.conf:16, trackers/lb2.conf:16  vrrp_track_process never / process "bad daemon"            it is part of vrrp_track_process
#   trackers/lb1.conf:17, trackers/lb2.conf:17  vrrp_track_process never / quorum_max 0                    it is part of vrrp_track_process
#   trackers/lb1.conf:26, trackers/lb2.conf:26  track_file maintenance                                     keepalived adds the number in the file, times the weight, to the priority, or takes what is not 0 for a failure; check "file" reads a word, and 0 is a failure; add node_check "maintenance" with check "file" { file = "/etc/keepalived/maintenance.quorate" } and required = true, and have up or drain written into that file
#   trackers/lb1.conf:27, trackers/lb2.conf:27  track_file maintenance / file /etc/keepalived/maintenance  it is part of track_file
#   trackers/lb1.conf:28, trackers/lb2.conf:28  track_file maintenance / weight 0                          it is part of track_file
#   trackers/lb1.conf:29, trackers/lb2.conf:29  track_file maintenance / init_file 0                       the agent writes no files that it watches; make the file by tmpfiles.d
#   trackers/lb1.conf:31, trackers/lb2.conf:31  vrrp_track_file old_name                                   keepalived adds the number in the file, times the weight, to the priority, or takes what is not 0 for a failure; check "file" reads a word, and 0 is a failure; add node_check "old_name" with check "file" { file = "/run/old.quorate" } and required = true, and have up or drain written into that file
#   trackers/lb1.conf:32, trackers/lb2.conf:32  track_file old_name / file "/run/old"                      it is part of track_file
#   trackers/lb1.conf:36, trackers/lb2.conf:36  vrrp_instance T / dont_track_primary                       a node without the interface of an address cannot own it; nothing, unless the link is expected to be down
#   trackers/lb1.conf:37, trackers/lb2.conf:37  vrrp_instance T / virtual_router_id 8                      this version does not speak VRRP, and needs none inside the cluster; keep the number: it matters beside a keepalived that stays
#   trackers/lb1.conf:46, trackers/lb2.conf:46  vrrp_instance T / track_interface / eth3 weight 5 reverse  reverse: a check that passes cannot make a node worse; write a script that fails where this one passes, and track it without reverse
#   trackers/lb1.conf:50                        vrrp_instance T / track_script / inverted                  its weight is reversed, see trackers/lb1.conf:5
#   trackers/lb1.conf:51                        vrrp_instance T / track_script / relative                  vrrp_script relative has become nothing, see trackers/lb1.conf:7
#   trackers/lb1.conf:56                        vrrp_instance T / track_process / never                    vrrp_track_process never has become nothing, see trackers/lb1.conf:15
#   trackers/lb1.conf:60                        vrrp_instance T / track_file / maintenance                 track_file maintenance has become nothing, see trackers/lb1.conf:26
#   trackers/lb1.conf:61                        vrrp_instance T / track_file / old_name weight 2           track_file old_name has become nothing, see trackers/lb1.conf:31
#   trackers/lb1.conf:63, trackers/lb2.conf:63  vrrp_instance T / track_bfd                                sessions of BFD are not taken over; write a check "bfd" by hand, in a node_check or a service: see docs/health.md; a node that falls silent is noticed by its lease within half a second
#   trackers/lb1.conf:64, trackers/lb2.conf:64  vrrp_instance T / track_bfd / peer                         it is part of track_bfd
#   trackers/lb2.conf:50                        vrrp_instance T / track_script / inverted                  its weight is reversed, see trackers/lb2.conf:5
#   trackers/lb2.conf:51                        vrrp_instance T / track_script / relative                  vrrp_script relative has become nothing, see trackers/lb2.conf:7
#   trackers/lb2.conf:56                        vrrp_instance T / track_process / never                    vrrp_track_process never has become nothing, see trackers/lb2.conf:15
#   trackers/lb2.conf:60                        vrrp_instance T / track_file / maintenance                 track_file maintenance has become nothing, see trackers/lb2.conf:26
#   trackers/lb2.conf:61                        vrrp_instance T / track_file / old_name weight 2           track_file old_name has become nothing, see trackers/lb2.conf:31
#
# changed meaning (20)
#   trackers/lb1.conf:1                         vrrp_script up                                                  node_check is carried out on [lb1] alone, as the other directors do not have it, or not like this; look whether the difference is meant
#   trackers/lb1.conf:1, trackers/lb2.conf:1    vrrp_script up / script "/usr/bin/pgrep -x nginx"               it only looks whether nginx runs: check "process" hears of that from the kernel, and starts no program
#   trackers/lb1.conf:3, trackers/lb2.conf:3    vrrp_script up / weight 20                                      node_check "up": weight = -20: what a node had more while the check passes, it has less while it fails, which comes to the same
#   trackers/lb1.conf:4, trackers/lb2.conf:4    vrrp_script inverted / script "/bin/busy"                       it runs as quorate_script where there is such a user, else as nobody; keepalived takes keepalived_script, else root; set user = "…" if that does not do
#   trackers/lb1.conf:9, trackers/lb2.conf:9    vrrp_track_process proxy / process haproxy -f /etc/haproxy.cfg  the arguments are what the command line begins with; keepalived wants these and no more
#   trackers/lb1.conf:21, trackers/lb2.conf:21  vrrp_track_process worker / param_match initial                 the arguments are what the command line begins with
#   trackers/lb1.conf:22, trackers/lb2.conf:22  vrrp_track_process worker / fork_delay 1                        there is one delay for both directions, and the longer one was taken
#   trackers/lb1.conf:23, trackers/lb2.conf:23  vrrp_track_process worker / terminate_delay 2                   there is one delay for both directions, and the longer one was taken
#   trackers/lb1.conf:39, trackers/lb2.conf:39  vrrp_instance T / preempt_delay 30                              hold_down = "30s" is for the whole cluster, and counts from when a node came back after a fence or a VIP failed over; look whether that will do for all VIPs
#   trackers/lb1.conf:52, trackers/lb2.conf:52  vrrp_instance T / track_script / up weight 40                   node_check "up-40": weight = -40: what a node had more while the check passes, it has less while it fails, which comes to the same
#   trackers/lb2.conf:1                         vrrp_script up                                                  node_check is carried out on [lb2] alone, as the other directors do not have it, or not like this; look whether the difference is meant
#
# ignored: not needed (8)
#   trackers/lb1.conf:6, trackers/lb2.conf:6    vrrp_script nobody_asks                       nothing tracks it, and keepalived does not use it either
#   trackers/lb1.conf:6, trackers/lb2.conf:6    vrrp_script nobody_asks / script "/bin/true"  it is part of vrrp_script
#   trackers/lb1.conf:24, trackers/lb2.conf:24  vrrp_track_process worker / full_command      a name is compared with the command line as well
#   trackers/lb1.conf:31, trackers/lb2.conf:31  vrrp_track_file old_name                      vrrp_track_file is an old spelling of track_file, and taken for it
#
# mapped (44)
#   trackers/lb1.conf:2                         vrrp_script up / interval 2                          check: interval
#   trackers/lb1.conf:8, trackers/lb2.conf:8    vrrp_track_process proxy                             node_check
#   trackers/lb1.conf:10, trackers/lb2.conf:10  vrrp_track_process proxy / quorum 2                  check: least
#   trackers/lb1.conf:11, trackers/lb2.conf:11  vrrp_track_process proxy / quorum_max 4              check: most
#   trackers/lb1.conf:12, trackers/lb2.conf:12  vrrp_track_process proxy / delay 2.5                 check: delay
#   trackers/lb1.conf:13, trackers/lb2.conf:13  vrrp_track_process proxy / weight -40                node_check "proxy": weight = -40
#   trackers/lb1.conf:19, trackers/lb2.conf:19  vrrp_track_process worker                            node_check
#   trackers/lb1.conf:20, trackers/lb2.conf:20  vrrp_track_process worker / process worker           check "process": process, arguments
#   trackers/lb1.conf:34, trackers/lb2.conf:34  vrrp_instance T                                      vip "T"
#   trackers/lb1.conf:35, trackers/lb2.conf:35  vrrp_instance T / interface eth0                     vip: interface
#   trackers/lb1.conf:38                        vrrp_instance T / priority 110                       vip "T": prefer
#   trackers/lb1.conf:40, trackers/lb2.conf:40  vrrp_instance T / virtual_ipaddress                  vip: address
#   trackers/lb1.conf:41, trackers/lb2.conf:41  vrrp_instance T / virtual_ipaddress / 10.9.0.1/24    vip "T": address
#   trackers/lb1.conf:43, trackers/lb2.conf:43  vrrp_instance T / track_interface                    node_check: vips, groups
#   trackers/lb1.conf:44, trackers/lb2.conf:44  vrrp_instance T / track_interface / eth1             node_check "link-eth1": required
#   trackers/lb1.conf:45, trackers/lb2.conf:45  vrrp_instance T / track_interface / eth2 weight -30  node_check "link-eth2": weight = -30
#   trackers/lb1.conf:48, trackers/lb2.conf:48  vrrp_instance T / track_script                       node_check: vips, groups
#   trackers/lb1.conf:49, trackers/lb2.conf:49  vrrp_instance T / track_script / up                  node_check "up": weight = -20
#   trackers/lb1.conf:54, trackers/lb2.conf:54  vrrp_instance T / track_process                      node_check: vips, groups
#   trackers/lb1.conf:55, trackers/lb2.conf:55  vrrp_instance T / track_process / proxy              node_check "proxy": weight = -40
#   trackers/lb1.conf:57, trackers/lb2.conf:57  vrrp_instance T / track_process / worker weight 0    node_check "worker": required
#   trackers/lb1.conf:59, trackers/lb2.conf:59  vrrp_instance T / track_file                         node_check: vips, groups
#   trackers/lb2.conf:2                         vrrp_script up / interval 3                          check: interval
#   trackers/lb2.conf:38                        vrrp_instance T / priority 100                       vip "T": prefer
#
