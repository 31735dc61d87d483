// Package strictjson decodes JSON in a way that leaves only one reading. It is for
// signed documents that programs with other decoders read too.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds how deep JSON may be nested.
const maxDepth = 16

// Decode decodes one JSON document into v. Unlike encoding/json it refuses documents
// that two readers could understand differently: unknown keys, known keys in another
// case (encoding/json accepts "Files", and "fileſ" too), a key that comes twice, null,
// invalid UTF-8, and any bytes after the document. The objects at the keys in free may
// have any keys.
func Decode(data []byte, v any, free ...string) error {
	if !utf8.Valid(data) {
		return errors.New("it is not valid UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := unambiguous(dec, 0, "", free); err != nil {
		return fmt.Errorf("no valid JSON of its kind: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something behind the end of the document")
	}
	dec = json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("no valid JSON of its kind: %w", err)
	}
	return nil
}

// unambiguous reads and checks one value, which lies at key.
func unambiguous(dec *json.Decoder, depth int, key string, free []string) error {
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
			return fmt.Errorf("null, at %.40q, is not allowed: leave the key out", key)
		}
		return nil
	}
	seen := map[string]bool{}
	for dec.More() {
		at := key
		if delim == '{' {
			if at, err = name(dec, key, seen, free); err != nil {
				return err
			}
		}
		if err := unambiguous(dec, depth+1, at, free); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}

// name reads a key of the object that lies at key.
func name(dec *json.Decoder, key string, seen map[string]bool, free []string) (string, error) {
	t, err := dec.Token()
	if err != nil {
		return "", err
	}
	name, _ := t.(string)
	if !slices.Contains(free, key) && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
		return "", fmt.Errorf("the key %.40q is unknown", name)
	}
	if seen[name] {
		return "", fmt.Errorf("the key %.40q is there twice", name)
	}
	seen[name] = true
	return name, nil
}
