package fsm

import (
	"slices"
	"testing"
)

func TestWarnsOfWhatIsToldInTheClear(t *testing.T) {
	for _, c := range []struct {
		n    Notifier
		want string
	}{
		{Notifier{Webhook: &Webhook{URL: "http://hooks.example.org/quorate", SecretFile: "/etc/key"}}, `notify.ops.webhook: url = "http://hooks.example.org/quorate"`},
		{Notifier{Webhook: &Webhook{URL: "http://10.0.0.1:80"}}, `notify.ops.webhook: url = "http://10.0.0.1:80"`},
		{Notifier{Webhook: &Webhook{URL: "http://[2001:db8::1]/"}}, `notify.ops.webhook: url = "http://[2001:db8::1]/"`},
		{Notifier{Webhook: &Webhook{URL: "http://localhost.example.org/"}}, `notify.ops.webhook: url = "http://localhost.example.org/"`},
		{Notifier{Webhook: &Webhook{URL: "https://hooks.example.org/quorate"}}, ""},
		{Notifier{Webhook: &Webhook{URL: "http://127.0.0.1:9093?x=http://a"}}, ""},
		{Notifier{Webhook: &Webhook{URL: "http://[::1]:9093/"}}, ""},
		{Notifier{Webhook: &Webhook{URL: "http://LOCALHOST/hook"}}, ""},
		{Notifier{Email: &Email{Server: "smtp.example.org:25", NoTLS: true}}, `notify.ops.email: starttls = "false"`},
		{Notifier{Email: &Email{Server: "smtp.example.org:587"}}, ""},
		{Notifier{Email: &Email{Server: "[::1]:25", NoTLS: true}}, ""},
		{Notifier{FIFO: &FIFO{Path: "/run/http:"}}, ""},
	} {
		var got, want []string
		for _, p := range (Config{Notifiers: map[string]Notifier{"ops": c.n}}).Warnings() {
			got = append(got, p.Object+": "+p.Key+" = \""+p.Value+"\"")
		}
		if c.want != "" {
			want = []string{c.want}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%+v: %q, want %q", c.n, got, want)
		}
	}
}
