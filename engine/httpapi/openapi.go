package httpapi

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"io"
	"net/http"
)

// openapi.json describes every route; openapi_test.go holds both to each other. The
// program has it packed, since few ask for it and it is 70 KB: "go generate" packs it.
//
//go:generate sh -c "gzip -9nc openapi.json > openapi.json.gz"
//go:embed openapi.json.gz
var openapiPacked []byte

func (a *api) openAPI(w http.ResponseWriter, _ *http.Request) {
	text, err := unpacked(openapiPacked)
	if err != nil {
		a.Log.Error("openapi.json cannot be unpacked", "err", err)
	}
	writeJSON(w, http.StatusOK, text)
}

func unpacked(file []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}
