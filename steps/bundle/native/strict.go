package native

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxDepth bounds how deep JSON may be nested.
const maxDepth = 16

// strictJSON decodes one JSON document into v. Unlike encoding/json it refuses
// what two readers could understand differently: unknown fields, a key that is
// there twice (also in another case, which encoding/json takes for the same),
// and anything behind the document.
func strictJSON(data []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := noDuplicates(dec, 0); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something behind the end of the document")
	}
	dec = json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	return dec.Decode(v)
}

// noDuplicates reads one value.
func noDuplicates(dec *json.Decoder, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("nested more than %d deep", maxDepth)
	}
	t, err := dec.Token()
	if err != nil {
		return err
	}
	delim, ok := t.(json.Delim)
	if !ok {
		return nil
	}
	seen := map[string]bool{}
	for dec.More() {
		if delim == '{' {
			key, err := dec.Token()
			if err != nil {
				return err
			}
			name, _ := key.(string)
			if folded := strings.ToLower(name); seen[folded] {
				return fmt.Errorf("the key %q is there twice", name)
			}
			seen[strings.ToLower(name)] = true
		}
		if err := noDuplicates(dec, depth+1); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}
