package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tope/updater/engine"
)

// errMedia and errTooLarge refuse a body before it is parsed.
var (
	errMedia    = errors.New("the body must be application/json")
	errTooLarge = fmt.Errorf("the body must not be larger than %d bytes", MaxBody)
)

// object is a JSON object from a request, taken apart field by field. It is
// stricter than encoding/json, which takes the last of two equal names, matches
// names in any case, and ignores data after the value. A request that decides
// which software a device runs must have one meaning only.
type object struct {
	fields map[string]json.RawMessage
	needed []string // those that may not be left out
	err    error    // the first field that was wrong
}

// parameter is a parameter of the query, which may be there once. Errors wrap
// engine.ErrInvalid.
func parameter(r *http.Request, name string) (value string, given bool, err error) {
	all, err := url.ParseQuery(r.URL.RawQuery)
	switch {
	case err != nil:
		return "", false, invalid("the query cannot be read: %v", err)
	case len(all[name]) > 1:
		return "", false, invalid("%s= is there twice", name)
	}
	return all.Get(name), all.Has(name), nil
}

// readObject reads the body as one JSON object; an absent body counts as {}.
// Errors wrap engine.ErrInvalid, errMedia or errTooLarge.
func readObject(r *http.Request) (*object, error) {
	if !jsonBody(r) {
		return nil, errMedia
	}
	if r.Body == nil {
		return parseObject(nil)
	}
	data, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, errTooLarge
	}
	if err != nil {
		return nil, invalid("the body cannot be read: %v", err)
	}
	return parseObject(data)
}

func parseObject(data []byte) (*object, error) {
	o := &object{fields: map[string]json.RawMessage{}}
	if len(data) == 0 {
		return o, nil
	}
	if !utf8.Valid(data) {
		return nil, invalid("the body is not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, invalid("the body is not a JSON object")
	}
	for dec.More() {
		t, err := dec.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, invalid("the body is not a JSON object")
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, invalid("the body is not a JSON object")
		}
		if _, twice := o.fields[name]; twice {
			return nil, invalid("field %s is there twice", quote(name))
		}
		o.fields[name] = value
	}
	if _, err := dec.Token(); err != nil {
		return nil, invalid("the body is not a JSON object")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, invalid("something follows the JSON object")
	}
	return o, nil
}

// take decodes a field and removes it; an absent one leaves v alone.
func (o *object) take(name, want string, v any) (present bool) {
	raw, ok := o.fields[name]
	delete(o.fields, name)
	if !ok {
		return false
	}
	if err := json.Unmarshal(raw, v); err != nil || string(raw) == "null" {
		o.refuse("field %s must be %s", name, want)
	}
	return true
}

func (o *object) refuse(format string, args ...any) {
	if o.err == nil {
		o.err = invalid(format, args...)
	}
}

func (o *object) text(name string) (s string) {
	o.take(name, "a string", &s)
	return s
}

// given reads a text that is not empty when it is there: an empty one, as a variable
// that is not set leaves it, must not mean that nothing was asked for.
func (o *object) given(name string) string {
	_, there := o.fields[name]
	s := o.text(name)
	if there && s == "" && slices.Contains(o.needed, name) {
		o.refuse("field %s is empty; give it a value", name)
	} else if there && s == "" {
		o.refuse("field %s is empty; give it a value, or leave it out", name)
	}
	return s
}

func (o *object) flag(name string) (b bool) {
	o.take(name, "true or false", &b)
	return b
}

// number reads a whole number, which may be written as 1.0 or 1e3: to JSON it is the same.
func (o *object) number(name string) int64 {
	var raw json.RawMessage
	if !o.take(name, "a whole number", &raw) {
		return 0
	}
	if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return n
	}
	const most = 1 << 63 // the first that is too large
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || f != math.Trunc(f) || f < -most || f >= most {
		o.refuse("field %s must be a whole number", name)
		return 0
	}
	return int64(f)
}

// need refuses the object when a field is absent.
func (o *object) need(names ...string) {
	o.needed = append(o.needed, names...)
	for _, name := range names {
		if _, ok := o.fields[name]; !ok {
			o.refuse("field %s is missing", name)
		}
	}
}

// done returns the first error. An unknown field is an error too: a misspelt
// "retry" must not be ignored in silence.
func (o *object) done() error {
	if o.err == nil && len(o.fields) > 0 {
		names := slices.Sorted(maps.Keys(o.fields))
		o.refuse("field %s is not known here", quote(strings.Join(names, ", ")))
	}
	return o.err
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{engine.ErrInvalid}, args...)...)
}
