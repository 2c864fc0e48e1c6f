package main

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"

	"github.com/rogpeppe/go-internal/testscript"
)

// web starts two web servers, $WEB and $SECURE; the certificate of the second is in ca.pem, for example.com and 127.0.0.1.
func web(ts *testscript.TestScript, _ bool, _ []string) {
	var asked atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("/fine", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "fine for %s", strings.Split(r.Host, ":")[0])
	})
	mux.HandleFunc("/changing", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, asked.Add(1)) })
	mux.HandleFunc("/broken", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) })
	mux.Handle("/redirect", http.RedirectHandler("https://www.example.org/${x}", http.StatusFound))
	mux.HandleFunc("/endless", func(w http.ResponseWriter, r *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/silent", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	plain := httptest.NewServer(mux)
	secure := httptest.NewUnstartedServer(mux)
	secure.EnableHTTP2 = true
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	ts.Defer(func() {
		plain.Close()
		secure.Close()
	})
	ts.Check(os.WriteFile(ts.MkAbs("ca.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}), 0o600))
	ts.Setenv("WEB", plain.URL)
	ts.Setenv("SECURE", secure.URL)
	ts.Setenv("SECUREADDR", strings.TrimPrefix(secure.URL, "https://"))
}
