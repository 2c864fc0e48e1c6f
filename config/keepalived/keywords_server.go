package keepalived

import "slices"

var serverBlocks = []*keyword{
	k("SSL", mapping).block(
		k("password", mapping, word("a password")), k("ca", mapping, word("a file")), k("certificate", mapping, word("a file")), k("key", mapping, word("a file"))),
	k("virtual_server_group", mapping, word("a name")).list(word("an address or fwmark"), rest(word("a port or mark"))),
	k("virtual_server", mapping, word("an address, fwmark or group"), opt(word("a port, mark or name"))).block(virtualServerKeywords...),
}

// timingKeywords stand in virtual servers, real servers and checks: the nearest counts.
var timingKeywords = []*keyword{
	k("retry", mapping, number(0, 1<<31)),
	k("delay_before_retry", mapping, seconds(0, 1e6)),
	k("warmup", ignored("the probes of several servers are spread over the interval without being told"), seconds(0, 1e6)),
	k("delay_loop", mapping, seconds(0, 1e6)),
	k("alpha", ignored("a server is down until its checks have passed"), boolean()),
}

var connectTimeout = k("connect_timeout", mapping, seconds(0.001, 1e6))

var flagKeywords = []*keyword{
	k("hashed", mapping), k("ops", mapping), k("flag-1", mapping), k("flag-2", mapping), k("flag-3", mapping),
	k("sh-port", mapping), k("sh-fallback", mapping), k("mh-port", mapping), k("mh-fallback", mapping),
}

func method(name string) *keyword {
	return k(name, mapping, oneOf("NAT", "DR", "TUN"), rest(word("an option of the tunnel")))
}

func quorumScript(name string) *keyword {
	return k(name, mapping, append([]value{word("a program")}, user...)...).script()
}

var virtualServerKeywords = slices.Concat(timingKeywords, flagKeywords, []*keyword{
	connectTimeout,
	k("ip_family", mapping, oneOf("inet", "inet6")),
	k("inhibit_on_failure", mapping, boolean()),
	k("lvs_sched", mapping, word("a scheduler"), rest(word("a flag"))),
	k("lb_algo", mapping, word("a scheduler"), rest(word("a flag"))).also("lvs_sched"),
	method("lvs_method"),
	method("lb_kind").also("lvs_method"),
	k("persistence_engine", mapping, word("an engine")),
	k("persistence_timeout", mapping, opt(number(0, 1<<31))),
	k("persistence_granularity", mapping, word("a netmask or prefix length")),
	k("nat_mask", ignored("it does nothing in keepalived either"), word("a netmask")), // versions before 1.2
	k("protocol", mapping, oneOf("TCP", "UDP", "SCTP")),
	k("ha_suspend", ignored("the servers are probed by several nodes for the whole cluster, once each")),
	k("smtp_alert", mapping, boolean()),
	k("virtualhost", mapping, word("a host")),
	k("snmp_name", ignored("services have names"), word("a name")),
	k("omega", unsupported("a node that ends tells nobody that servers are down: others go on with them", "nothing")),
	quorumScript("quorum_up"),
	quorumScript("quorum_down"),
	k("quorum", mapping, number(1, 1<<31)),
	k("hysteresis", mapping, number(0, 1<<31)),
	k("weight", mapping, number(0, 65535)),
	k("sorry_server", mapping, address(), opt(number(0, 65535))),
	k("sorry_server_inhibit", unsupported("a sorry server is in the table only while it is needed", "nothing, unless its old connections have to go on")),
	method("sorry_server_lvs_method"),
	k("real_server", mapping, address(), opt(number(0, 65535))).block(realServerKeywords...),
})

var realServerKeywords = slices.Concat(timingKeywords, checkerBlocks, []*keyword{
	connectTimeout,
	k("weight", mapping, number(0, 65535)),
	method("lvs_method"),
	k("uthreshold", mapping, number(0, 1<<32-1)),
	k("lthreshold", mapping, number(0, 1<<32-1)),
	k("inhibit_on_failure", mapping, boolean()),
	quorumScript("notify_up"),
	quorumScript("notify_down"),
	k("smtp_alert", mapping, boolean()),
	k("virtualhost", mapping, word("a host")),
	k("snmp_name", ignored("servers are told apart by their addresses"), word("a name")),
})

// pathKeywords are of the checks that connect.
var pathKeywords = []*keyword{
	connectTimeout,
	k("connect_ip", mapping, address()),
	k("connect_port", mapping, number(1, 65535)),
	k("bindto", mapping, address()),
	k("bind_port", unsupported("the kernel chooses the port that a probe comes from", "nothing, unless a firewall looks at it"), number(1, 65535)),
	k("bind_if", mapping, word("an interface")),
	k("fwmark", mapping, number(1, 1<<32-1)),
}

var checkKeywords = slices.Concat(timingKeywords, []*keyword{
	k("log_all_failures", ignored("every probe that fails is counted"), boolean()),
})

var connectingKeywords = slices.Concat(checkKeywords, pathKeywords)

var webKeywords = slices.Concat(connectingKeywords, []*keyword{
	k("nb_get_retry", mapping, number(1, 1<<31)).as("retry"),
	k("virtualhost", mapping, word("a host")),
	k("http_protocol", mapping, oneOf("1.0", "1.0C", "1.0c", "1.1", "1.0K", "1.0k", "1.1K", "1.1k")),
	k("enable_sni", mapping, boolean()),
	k("sni_name", mapping, word("a host")),
	k("fast_recovery", ignored("all URLs are asked in every probe"), boolean()),
	k("tls_compliant", ignored("a connection that is closed without a word is taken for the end of the answer where its length is known"), boolean()),
	k("url", mapping).block(
		k("path", mapping, word("a path")),
		k("digest", mapping, word("an MD5 in hex")),
		k("status_code", mapping, some(word("a status code or range"))),
		k("virtualhost", mapping, word("a host")),
		k("regex", mapping, word("an expression")),
		k("regex_no_match", mapping),
		k("regex_options", mapping, some(word("an option"))),
		k("regex_min_offset", regexPart, number(0, 1<<31)),
		k("regex_max_offset", regexPart, number(0, 1<<31)),
		k("regex_stack", ignored("RE2 needs no stack that grows"), number(1, 1<<31), number(1, 1<<31)),
		k("tls_compliant", ignored("a connection that is closed without a word is taken for the end of the answer where its length is known"), boolean()),
	),
})

var regexPart = unsupported("the expression is looked for in the first 256 KiB of the body", "write what has to stand before it into the expression")

var checkerBlocks = []*keyword{
	k("TCP_CHECK", mapping).block(connectingKeywords...),
	k("HTTP_GET", mapping).block(webKeywords...),
	k("SSL_GET", mapping).block(webKeywords...),
	k("SMTP_CHECK", mapping).block(slices.Concat(connectingKeywords, []*keyword{
		k("helo_name", mapping, word("a name")),
		k("host", mapping).block(connectingKeywords...),
	})...),
	k("DNS_CHECK", mapping).block(slices.Concat(connectingKeywords, []*keyword{
		k("type", mapping, oneOf("A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA", "RRSIG", "DNSKEY")),
		k("name", mapping, word("a name")),
	})...),
	k("MISC_CHECK", mapping).block(slices.Concat(checkKeywords, []*keyword{
		k("misc_path", mapping, some(word("a program"))).script(),
		k("misc_timeout", mapping, seconds(0, 1e6)),
		k("misc_dynamic", mapping, boolean()),
		k("user", mapping, append([]value{word("a user")}, user[1:]...)...),
	})...),
	k("UDP_CHECK", mapping).block(slices.Concat(connectingKeywords, []*keyword{
		k("payload", mapping, word("hexadecimal digits")),
		k("require_reply", mapping, opt(word("hexadecimal digits"))),
		k("min_reply_length", mapping, number(0, 65535)),
		k("max_reply_length", mapping, number(0, 65535)),
	})...),
	k("PING_CHECK", mapping).block(connectingKeywords...),
	k("BFD_CHECK", mapping).block(k("name", mapping, word("a name")), k("alpha", ignored("a server is down until its checks have passed"), boolean())),
	k("FILE_CHECK", mapping).block(
		k("track_file", mapping, word("a name")),
		k("weight", mapping, number(-1<<31, 1<<31), opt(oneOf("reverse", "noreverse"))),
	),
}
