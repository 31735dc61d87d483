package trust

import (
	"encoding/json"
	"fmt"

	"github.com/tope/updater/steps/bundle/strictjson"
)

// signedJSON is keys.signed: a keys.json, byte for byte, and the signatures that counted
// when it was installed. Both are in base64.
type signedJSON struct {
	Schema     int      `json:"schema"`
	Keys       []byte   `json:"keys"`
	Signatures [][]byte `json:"signatures"`
}

func encodeSigned(keys []byte, signatures []signature) ([]byte, error) {
	s := signedJSON{Schema: 1, Keys: keys}
	for _, sig := range signatures {
		s.Signatures = append(s.Signatures, sig.text)
	}
	text, err := json.MarshalIndent(s, "", "  ")
	return append(text, '\n'), err
}

func (r roots) openSigned(text []byte) (document, error) {
	s, err := parseSigned(text)
	if err != nil {
		return document{}, err
	}
	return r.open(s.Keys, numbered(s.Signatures))
}

func parseSigned(text []byte) (s signedJSON, err error) {
	switch err = strictjson.Decode(text, &s); {
	case err != nil:
		return s, err
	case s.Schema != 1:
		return s, fmt.Errorf("schema %d, this updater knows 1", s.Schema)
	}
	return s, nil
}

// numbered gives numbers as names to signatures that came without names.
func numbered(texts [][]byte) []signature {
	var all []signature
	for i, text := range texts {
		all = append(all, signature{fmt.Sprintf("signature number %d", i+1), text})
	}
	return all
}
