package native

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds how deep JSON may be nested.
const maxDepth = 16

// notesKey is the one object with keys that the publisher chooses.
const notesKey = "notes"

// strictJSON decodes one JSON document into v. Unlike encoding/json it refuses
// what two readers could understand differently: unknown keys, known ones in
// another case (encoding/json takes "Files", and "fileſ" too), a key that is
// there twice, null, what is not UTF-8, and anything behind the document.
func strictJSON(data []byte, v any) error {
	if !utf8.Valid(data) {
		return errors.New("it is not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := unambiguous(dec, 0, ""); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something behind the end of the document")
	}
	dec = json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	return dec.Decode(v)
}

// unambiguous reads one value, which lies at key.
func unambiguous(dec *json.Decoder, depth int, key string) error {
	if depth > maxDepth {
		return fmt.Errorf("nested more than %d deep", maxDepth)
	}
	t, err := dec.Token()
	if err != nil {
		return err
	}
	delim, ok := t.(json.Delim)
	if !ok {
		if t == nil {
			return fmt.Errorf("null, at %.40q, is no value: leave the key out", key)
		}
		return nil
	}
	seen := map[string]bool{}
	for dec.More() {
		at := key
		if delim == '{' {
			if at, err = name(dec, key, seen); err != nil {
				return err
			}
		}
		if err := unambiguous(dec, depth+1, at); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}

// name reads a key of the object that lies at key.
func name(dec *json.Decoder, key string, seen map[string]bool) (string, error) {
	t, err := dec.Token()
	if err != nil {
		return "", err
	}
	name, _ := t.(string)
	if key != notesKey && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
		return "", fmt.Errorf("the key %.40q is unknown", name)
	}
	if seen[name] {
		return "", fmt.Errorf("the key %.40q is there twice", name)
	}
	seen[name] = true
	return name, nil
}
