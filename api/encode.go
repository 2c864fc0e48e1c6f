package api

import (
	"bytes"
	"encoding/json"
	"net/http"
)

// writeError answers where huma has no part in it.
func writeError(w http.ResponseWriter, e *Error) {
	b, err := json.Marshal(e)
	if err != nil {
		http.Error(w, e.Detail, e.Status)
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(e.Status)
	_, _ = w.Write(append(b, '\n'))
}

func indent(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}
