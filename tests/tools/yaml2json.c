/*
 * yaml2json: YAML documents on standard input become JSON, one line each, for the tests of the
 * manifests: what is parsed is what a cluster's tools see, and nothing has to be installed for it.
 * Plain scalars are typed as sigs.k8s.io/yaml does for YAML 1.1's common forms (null, true, false,
 * yes, no, on, off, integers, decimals); all others are texts. Empty documents are left out.
 * Exit 1 with a line for what is no YAML or has a key twice.
 */
#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

enum { DEPTH_MAX = 64 };

static void die(const yaml_mark_t *at, const char *what)
{
    (void)fprintf(stderr, "yaml2json: line %zu, column %zu: %s\n", at->line + 1, at->column + 1,
                  what);
    exit(1);
}

static bool is_one_of(const char *s, const char *const *words)
{
    for (; *words; words++) {
        if (strcasecmp(s, *words) == 0)
            return true;
    }
    return false;
}

static json_t *plain(const char *s)
{
    static const char *const nulls[] = {"", "~", "null", NULL};
    static const char *const trues[] = {"true", "yes", "on", NULL};
    static const char *const falses[] = {"false", "no", "off", NULL};
    char *end = NULL;
    long long n;
    double d;

    if (is_one_of(s, nulls))
        return json_null();
    if (is_one_of(s, trues))
        return json_true();
    if (is_one_of(s, falses))
        return json_false();
    if (!isdigit((unsigned char)s[0]) && s[0] != '-' && s[0] != '+' && s[0] != '.')
        return json_string(s);
    errno = 0;
    n = strtoll(s, &end, 10);
    if (errno == 0 && end != s && *end == '\0')
        return json_integer(n);
    d = strtod(s, &end);
    if (end != s && *end == '\0')
        return json_real(d);
    return json_string(s);
}

static json_t *node(yaml_document_t *doc, const yaml_node_t *n, int depth)
{
    json_t *out;

    if (!n || depth > DEPTH_MAX)
        die(&doc->start_mark, "too deep");
    if (n->type == YAML_SCALAR_NODE) {
        const char *s = (const char *)n->data.scalar.value;

        return n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? plain(s) : json_string(s);
    }
    if (n->type == YAML_SEQUENCE_NODE) {
        out = json_array();
        for (const int *i = n->data.sequence.items.start; i < n->data.sequence.items.top; i++)
            json_array_append_new(out, node(doc, yaml_document_get_node(doc, *i), depth + 1));
        return out;
    }
    out = json_object();
    for (const yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top;
         p++) {
        const yaml_node_t *key = yaml_document_get_node(doc, p->key);

        if (!key || key->type != YAML_SCALAR_NODE)
            die(&n->start_mark, "a key that is no text");
        if (json_object_get(out, (const char *)key->data.scalar.value))
            die(&key->start_mark, "a key that stands twice");
        json_object_set_new(out, (const char *)key->data.scalar.value,
                            node(doc, yaml_document_get_node(doc, p->value), depth + 1));
    }
    return out;
}

int main(void)
{
    yaml_parser_t parser;
    yaml_document_t doc;

    if (!yaml_parser_initialize(&parser))
        return 1;
    yaml_parser_set_input_file(&parser, stdin);
    for (;;) {
        yaml_node_t *root;

        if (!yaml_parser_load(&parser, &doc))
            die(&parser.problem_mark, parser.problem ? parser.problem : "no YAML");
        root = yaml_document_get_root_node(&doc);
        if (!root)
            break;
        if (root->type != YAML_SCALAR_NODE) {
            json_t *value = node(&doc, root, 0);

            (void)json_dumpf(value, stdout, JSON_COMPACT);
            (void)putchar('\n');
            json_decref(value);
        }
        yaml_document_delete(&doc);
    }
    yaml_document_delete(&doc);
    yaml_parser_delete(&parser);
    return 0;
}
