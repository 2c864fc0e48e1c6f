package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"quorate/fsm"
)

// Headers of a webhook.
const (
	HeaderID        = "Quorate-Id"
	HeaderSignature = "Quorate-Signature"
)

// Bounds of an answer, and of what it may ask for.
const (
	maxAnswer     = 4096
	maxRetryAfter = 5 * time.Minute
)

// webhook is an HTTP POST.
type webhook struct{ fsm.Webhook }

// Send implements Channel.
func (w webhook) Send(ctx context.Context, m Message) (string, error) {
	body := m.body()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return "", Refused{err}
	}
	for _, h := range w.Headers {
		name, value, _ := strings.Cut(h, ":")
		req.Header.Add(name, strings.TrimSpace(value))
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "quorate")
	req.Header.Set(HeaderID, m.ID())
	if w.SecretFile != "" {
		key, err := secret(w.SecretFile)
		if err != nil {
			return "", fmt.Errorf("secret_file %s: %w", w.SecretFile, err)
		}
		req.Header.Set(HeaderSignature, Sign(key, time.Now(), body))
	}
	if w.TokenFile != "" {
		token, err := secret(w.TokenFile)
		if err != nil {
			return "", fmt.Errorf("token_file %s: %w", w.TokenFile, err)
		}
		req.Header.Set("Authorization", "Bearer "+string(token))
	}
	trust, err := tlsConfig(w.CA, "")
	if err != nil {
		return "", err
	}
	// A transport for each request: the files may have changed, and there is seldom a next one soon.
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: trust, DisableKeepAlives: true, DisableCompression: true, ForceAttemptHTTP2: true,
		MaxResponseHeaderBytes: 32 << 10}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		if u := (*url.Error)(nil); errors.As(err, &u) {
			err = u.Err // its text has the whole URL
		}
		return "", err
	}
	defer res.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswer)) // that it came is in the status
	return judge(res, said)
}

// judge says what an answer means.
func judge(res *http.Response, said []byte) (string, error) {
	text := "HTTP " + res.Status
	if s := clip(strings.ToValidUTF8(string(said), "?"), 200); s != "" {
		text += ": " + s
	}
	err := errors.New(text)
	switch code := res.StatusCode; {
	case code >= 200 && code < 300:
		return "HTTP " + res.Status, nil
	case code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable:
		return "", Later{err, retryAfter(res.Header.Get("Retry-After"), time.Now())}
	case code == http.StatusRequestTimeout:
		return "", err
	case code >= 300 && code < 400:
		return "", Refused{fmt.Errorf("%s to %s, and redirects are not followed", "HTTP "+res.Status, clip(res.Header.Get("Location"), 200))}
	case code >= 400 && code < 500:
		return "", Refused{err}
	default:
		return "", err
	}
}

// retryAfter reads seconds or a date; 0 = nothing that can be read.
func retryAfter(text string, now time.Time) time.Duration {
	var d time.Duration
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		d = time.Duration(n) * time.Second
	} else if t, err := http.ParseTime(text); err == nil {
		d = t.Sub(now)
	}
	return min(max(d, 0), maxRetryAfter)
}

// Sign is the value of the header Quorate-Signature: "t=SECONDS,v1=HEX", HEX being HMAC-SHA256(key, SECONDS + "." + body).
func Sign(key []byte, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}
