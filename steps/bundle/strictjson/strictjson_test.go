package strictjson_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps/bundle/strictjson"
)

type document struct {
	Name  string            `json:"name"`
	List  []document        `json:"list"`
	Notes map[string]string `json:"notes"`
}

func TestDecode(t *testing.T) {
	for name, c := range map[string]struct{ text, refused string }{
		"sound":                {`{"name":"a","list":[{"name":"b"}],"notes":{"zh-Hans CN":"x"}}`, ""},
		"key twice":            {`{"name":"a","name":"b"}`, `"name" is there twice`},
		"key twice, below":     {`{"list":[{"name":"a","name":"b"}]}`, `"name" is there twice`},
		"key twice, escaped":   {`{"name":"a","\u006eame":"b"}`, `"name" is there twice`},
		"free key twice":       {`{"notes":{"A b":"a","A b":"b"}}`, "there twice"},
		"another case":         {`{"Name":"a"}`, `"Name" is unknown`},
		"a letter that folds":  {`{"li` + "\u017f" + `t":[]}`, "is unknown"},
		"unknown":              {`{"nome":"a"}`, "nome"},
		"null":                 {`{"name":null}`, "null"},
		"null in a list":       {`{"list":[null]}`, "null"},
		"something behind":     {`{"name":"a"} {}`, "behind the end"},
		"not UTF-8":            {"{\"name\":\"\xff\"}", "UTF-8"},
		"a byte order mark":    {"\ufeff{}", "JSON"},
		"cut off":              {`{"name":"a"`, "JSON"},
		"nothing":              {``, "JSON"},
		"of another type":      {`{"name":1}`, "JSON"},
		"deep":                 {strings.Repeat(`{"list":[`, 20) + strings.Repeat(`]}`, 20), "deep"},
		"deep without closing": {strings.Repeat(`[`, 1_000_000), "deep"},
	} {
		t.Run(name, func(t *testing.T) {
			var d document
			err := strictjson.Decode([]byte(c.text), &d, "notes")
			if c.refused == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.refused)
		})
	}
}
