package fsm

import (
	"fmt"
	"strings"
)

// DNSCheck is the part of a Check that only DNS has.
type DNSCheck struct {
	Name      string `json:"name,omitempty"`      // asked for; "" = the root
	Record    string `json:"record,omitempty"`    // type of record, one of DNSRecords; "" = SOA
	Rcode     string `json:"rcode,omitempty"`     // that is wanted, one of DNSRcodes; "" = NOERROR
	Answer    string `json:"answer,omitempty"`    // that one record of the answer must have; "" = any answer will do, an empty one as well
	Transport string `json:"transport,omitempty"` // udp or tcp; "" = udp
}

// DNSRecords are the types of records that a check may ask for.
func DNSRecords() []string {
	return []string{"A", "AAAA", "CAA", "CNAME", "DNSKEY", "DS", "HTTPS", "MX", "NAPTR", "NS", "PTR", "RRSIG", "SOA", "SRV", "SVCB", "TXT"}
}

// DNSRcodes are the response codes that a check may want.
func DNSRcodes() []string {
	return []string{"NOERROR", "NXDOMAIN", "REFUSED", "SERVFAIL", "FORMERR", "NOTIMP", "NOTAUTH"}
}

func (d *DNSCheck) validate(ps *Problems, object string) {
	if what := notDomain(d.Name); what != "" {
		ps.add(object, "name", d.Name, what, `write it like "www.example.org"`)
	}
	oneOf(ps, object, "record", d.Record, append(DNSRecords(), "")...)
	oneOf(ps, object, "rcode", d.Rcode, append(DNSRcodes(), "")...)
	oneOf(ps, object, "transport", d.Transport, "", "udp", "tcp")
	if !plainText(d.Answer) || len(d.Answer) > 255 {
		ps.add(object, "answer", d.Answer, "this is no part of a record", `write it like "192.0.2.10" or "mail.example.org"`)
	}
	if d.Answer != "" && d.Rcode != "" && d.Rcode != "NOERROR" {
		ps.add(object, "answer", d.Answer, fmt.Sprintf("an answer with rcode %s has no records", d.Rcode), "leave one of the two out")
	}
}

func (d *DNSCheck) fields(f fields) {
	f.set("name", d.Name)
	f.set("record", d.Record)
	f.set("rcode", d.Rcode)
	f.set("answer", d.Answer)
	f.set("transport", d.Transport)
}

// notDomain says why s is no name of a domain, or "". The root is "." or "".
func notDomain(s string) string {
	if s == "" || s == "." {
		return ""
	}
	if !plainText(s) || strings.ContainsAny(s, ` \"`) {
		return "it has characters that no domain has"
	}
	s = strings.TrimSuffix(s, ".")
	if len(s) > 253 {
		return "it is longer than 253 characters"
	}
	for _, label := range strings.Split(s, ".") {
		if label == "" {
			return "a part between two dots is empty"
		}
		if len(label) > 63 {
			return "a part between two dots is longer than 63 characters"
		}
	}
	return ""
}
