package httpapi_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine/httpapi/httpapitest"
)

// spec is the OpenAPI document as it is served, with as much of JSON Schema as
// it uses. A keyword it does not know fails the test that meets it, so that
// nothing in the document goes unchecked.
type spec struct{ doc map[string]any }

func loadSpec(t *testing.T) spec {
	t.Helper()
	var s spec
	r := ask(httpapitest.New().Handler(), "GET", "/api/v2/openapi.json", "")
	require.NoError(t, json.NewDecoder(r.Body).Decode(&s.doc))
	return s
}

// at follows keys down into the document; nil when there is nothing.
func (s spec) at(keys ...string) any {
	var v any = s.doc
	for _, k := range keys {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = s.resolve(m[k])
	}
	return v
}

func (s spec) resolve(v any) any {
	if m, ok := v.(map[string]any); ok {
		if ref, ok := m["$ref"].(string); ok {
			return s.at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
		}
	}
	return v
}

// check returns why v does not match a schema.
func (s spec) check(where string, schema, v any) error {
	m, ok := s.resolve(schema).(map[string]any)
	if !ok {
		return fmt.Errorf("%s: no schema", where)
	}
	for _, keyword := range slices.Sorted(maps.Keys(m)) {
		if err := s.keyword(where, keyword, m, v); err != nil {
			return err
		}
	}
	return nil
}

func (s spec) keyword(where, keyword string, m map[string]any, v any) error {
	arg := m[keyword]
	switch keyword {
	case "description", "examples", "additionalProperties":
		return nil
	case "pattern":
		if text, is := v.(string); is && !expression(arg.(string)).MatchString(text) {
			return fmt.Errorf("%s: %q does not match %s", where, text, arg)
		}
	case "minLength":
		if text, is := v.(string); is && utf8.RuneCountInString(text) < int(arg.(float64)) {
			return fmt.Errorf("%s: %q is too short", where, text)
		}
	case "maxLength":
		if text, is := v.(string); is && utf8.RuneCountInString(text) > int(arg.(float64)) {
			return fmt.Errorf("%s: %q is too long", where, text)
		}
	case "not":
		if s.check(where, arg, v) == nil {
			return fmt.Errorf("%s: %v is excluded", where, v)
		}
	case "anyOf":
		if len(s.against(where, arg.([]any), v)) == len(arg.([]any)) {
			return fmt.Errorf("%s: %v matches none of %v", where, v, arg)
		}
	case "type":
		return checkType(where, arg, v)
	case "const":
		if arg != v {
			return fmt.Errorf("%s: %v is not %v", where, v, arg)
		}
	case "enum":
		if !slices.Contains(arg.([]any), v) {
			return fmt.Errorf("%s: %v is not one of %v", where, v, arg)
		}
	case "minimum":
		if v.(float64) < arg.(float64) {
			return fmt.Errorf("%s: %v is less than %v", where, v, arg)
		}
	case "maximum":
		if v.(float64) > arg.(float64) {
			return fmt.Errorf("%s: %v is more than %v", where, v, arg)
		}
	case "format":
		if _, err := time.Parse(time.RFC3339Nano, v.(string)); arg != "date-time" || err != nil {
			return fmt.Errorf("%s: %v is not a valid %v", where, v, arg)
		}
	case "oneOf":
		return s.checkOneOf(where, arg.([]any), v)
	case "items":
		for i, item := range v.([]any) {
			if err := s.check(fmt.Sprintf("%s[%d]", where, i), arg, item); err != nil {
				return err
			}
		}
	case "required":
		for _, name := range arg.([]any) {
			if _, ok := v.(map[string]any)[name.(string)]; !ok {
				return fmt.Errorf("%s: %s is missing", where, name)
			}
		}
	case "properties":
		return s.checkProperties(where, m, arg.(map[string]any), v)
	default:
		return fmt.Errorf("%s: this test does not know the keyword %s", where, keyword)
	}
	return nil
}

func (s spec) checkOneOf(where string, schemas []any, v any) error {
	errs := s.against(where, schemas, v)
	if len(errs) != len(schemas)-1 {
		return fmt.Errorf("%s: matches %d of one of: %v", where, len(schemas)-len(errs), errs)
	}
	return nil
}

// against has an error for each schema that v does not match.
func (s spec) against(where string, schemas []any, v any) (errs []error) {
	for _, schema := range schemas {
		if err := s.check(where, schema, v); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// expression is a pattern of the document, in which a character may be \u and four digits.
func expression(pattern string) *regexp.Regexp {
	return regexp.MustCompile(regexp.MustCompile(`\\u([0-9a-f]{4})`).ReplaceAllString(pattern, `\x{$1}`))
}

func (s spec) checkProperties(where string, m, properties map[string]any, v any) error {
	object, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("%s: no object", where)
	}
	for name, value := range object {
		schema, known := properties[name]
		if !known && m["additionalProperties"] == false {
			return fmt.Errorf("%s: %s is not described", where, name)
		}
		if known {
			if err := s.check(where+"."+name, schema, value); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkType(where string, want, v any) error {
	names, ok := want.([]any)
	if !ok {
		names = []any{want}
	}
	for _, name := range names {
		if isType(name, v) {
			return nil
		}
	}
	return fmt.Errorf("%s: %v is not a valid %v", where, v, want)
}

func isType(name, v any) bool {
	switch v := v.(type) {
	case nil:
		return name == "null"
	case bool:
		return name == "boolean"
	case string:
		return name == "string"
	case float64:
		return name == "integer" && v == float64(int64(v))
	case []any:
		return name == "array"
	case map[string]any:
		return name == "object"
	}
	return false
}

// TestThePackedDocumentIsFresh: the program serves openapi.json as it is.
func TestThePackedDocumentIsFresh(t *testing.T) {
	want, err := os.ReadFile("openapi.json")
	require.NoError(t, err)
	r := ask(httpapitest.New().Handler(), "GET", "/api/v2/openapi.json", "")
	got, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "pack it: go generate ./engine/httpapi")
}
