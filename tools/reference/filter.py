#!/usr/bin/env python3
"""filter.py FILE - FILE as Doxygen is to read it, on standard output (INPUT_FILTER of the Doxyfile).

Headers: their first comment becomes the page of the header, "// ---- words ----" a group of functions, indented
lines code, the statuses of a @return a list.  Pages of the manual: headings get the names that their links have
in Markdown, and links that leave the manual become plain text.
"""
import glob
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WIDTH = 100  # of comments in headers
HEADERS = ('mmap', 'arena', 'stack', 'stack/adapters', 'cpp')
PAGES = {os.path.basename(path)[:-3]: path for path in glob.glob(ROOT + '/docs/*.md')}
PAGES['CHANGELOG'] = ROOT + '/CHANGELOG.md'


# ---- headers ------------------------------------------------------------------------------------

def with_code(lines):
    """Comment lines without their slashes; blocks that are indented by four more become @code."""
    out, code, before = [], [], ''
    for line in lines + ['']:
        if code and (line.startswith('    ') or not line.strip()):
            code.append(line[4:])
            continue
        if code:
            blank = 0
            while not code[-1].strip():
                code.pop()
                blank += 1
            out += ['@code{.c}'] + code + ['@endcode'] + [''] * blank
            code = []
        if line.startswith('    ') and (not before.strip() or before.endswith(':') and before[0] not in '@-'):
            code = [line[4:]]
        else:
            out.append(line)
        before = line
    if code:
        out += ['@code{.c}'] + [line for line in '\n'.join(code).rstrip().split('\n')] + ['@endcode']
    return out


def split_statuses(text):
    """At the semicolons outside of parentheses."""
    parts, depth, start = [], 0, 0
    for i, letter in enumerate(text):
        depth += (letter == '(') - (letter == ')')
        if letter == ';' and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    return parts + [text[start:].strip()]


def with_lists(lines):
    """Each @param and @return in one line; of a @return that names more than two statuses a list."""
    out, i = [], 0
    while i < len(lines):
        if not lines[i].startswith('@'):
            out.append(lines[i])
            i += 1
            continue
        end = i + 1
        while end < len(lines) and lines[end].startswith('  '):
            end += 1
        text = ' '.join(line.strip() for line in lines[i:end])
        parts = split_statuses(text[len('@return'):]) if text.startswith('@return ') else []
        if len(parts) > 2:
            parts[0:1] = re.split(r'(?<=^ACRE_OK), or, with nothing changed: ', parts[0])
            also = ['On failure nothing has changed.'] if ', or, with nothing changed: ' in text else []
            out += ['@return'] + also + ['- ' + part for part in parts]
        else:
            out.append(text)
        i = end
    return out


def comment(lines):
    return ['///' + (' ' + line if line else '') for line in lines]


def banner(lines):
    """The first comment of a header, "acre/x.h - what it is."."""
    name, brief = lines[0].split(' - ', 1)
    body = [brief[0].upper() + brief[1:]] + lines[1:]
    out, before = ['@file ' + name], None
    for i, line in enumerate(body):
        following = body[i + 1] if i + 1 < len(body) else ''
        if re.fullmatch(r'[A-Z][a-z ]+', line) and following.startswith('  '):
            out += ['', '### ' + line, '']
            before = None
            continue
        if line.startswith('  ') and not line.startswith('    '):
            # Lines are filled: where the next word had room, a new paragraph begins.
            word = line.split()[0]
            if before is not None and len('// ') + len(before) + 1 + len(word) <= WIDTH:
                out.append('')
            before = line
            out.append(line[2:])
        else:
            # Code inside of a paragraph that is indented itself.
            out.append(line)
            before = None
    return comment(with_code(out))


def statuses(lines):
    """The enumeration that a macro makes, written out with the texts as descriptions."""
    text = ' '.join(line.rstrip('\\').strip() for line in lines)
    rows = re.findall(r'X\(([A-Z_]+), (-?\d+),\s*"([^"]*)"\)', text)
    return ['    ACRE_%s = (%s),  ///< %s' % (name, value, what[0].upper() + what[1:] + '.') for name, value, what in rows]


def header(lines):
    out, i, group = [], 0, False
    while i < len(lines) and lines[i].startswith('//'):
        i += 1
    out += banner([line[3:] for line in lines[:i]])
    is_c, table = lines[0].split(' - ')[0].endswith('.h'), []
    while i < len(lines):
        line = lines[i]
        if line.lstrip().startswith('/// '):
            indent = line[:len(line) - len(line.lstrip())]
            block = []
            while i < len(lines) and lines[i].lstrip().startswith('///') and not lines[i].lstrip().startswith('///<'):
                block.append(lines[i].strip()[4:])
                i += 1
            out += [indent + text for text in comment(with_code(with_lists(block)))]
            continue
        section = re.fullmatch(r'// -{4} (.*) -+', line)
        if section and is_c:
            out += ['/// @}'] if group else []
            out += ['/// @name ' + section.group(1).capitalize()]
            i += 1
            while i < len(lines) and (lines[i].startswith('//') and not lines[i].startswith('///') or not lines[i]):
                if lines[i]:
                    out.append('/// ' + lines[i][3:])
                i += 1
            out += ['/// @{', '']
            group = True
            continue
        if line == 'ACRE_EXTERN_C_END' and group:
            out += ['/// @}']
            group = False
        if line == 'template <>' and lines[i + 1].startswith('struct std::'):
            # A specialization outside of its namespace is beyond Doxygen.
            while lines[i] != '};':
                i += 1
        elif line.startswith('#define ACRE_STATUS_MAP(X)'):
            table = [line]
            while lines[i].endswith('\\'):
                i += 1
                table.append(lines[i])
            out += table
        elif line == '    ACRE_STATUS_MAP(ACRE_STATUS_VALUE_)':
            out += statuses(table)
        elif 'ACRE_STATUS_VALUE_' not in line:
            out.append(line)
        i += 1
    return out


# ---- the manual ---------------------------------------------------------------------------------

def anchor(page, heading):
    """As Markdown's readers name it, after the page, since Doxygen knows one set of names."""
    text = re.sub(r'[^\w\- ]', '', re.sub(r'[`*]', '', heading).lower())
    return 'page-' + page + '-' + text.strip().replace(' ', '-')


def table_of_headers():
    out = ['| header | what |', '|---|---|']
    for folder in HEADERS:
        for path in sorted(glob.glob('%s/%s/include/acre/*.h*' % (ROOT, folder))):
            with open(path, encoding='utf-8') as file:
                text = re.match(r'((?://.*\n)+)', file.read()).group(1)
            text = re.split(r'\n//\n|\n//     |\n// Conventions', text)[0].replace('\n// ', ' ')[3:]
            name, what = text.split(' - ', 1)
            what = re.split(r'[.]( |$)', what)[0]
            out.append('| <a href="%s.html">%s</a> | %s |' % (
                os.path.basename(path).replace('_', '__').replace('.', '_8'), name, what))
    return out


def link(page, match):
    text, target = match.group(1), match.group(2)
    if re.match(r'https?:', target):
        return match.group(0)
    file, _, heading = target.partition('#')
    name = os.path.basename(file)[:-3] if file else page
    if file and (not file.endswith('.md') or name not in PAGES or 'examples' in file):
        return text
    return '@ref page-%s "%s"' % (name + ('-' + heading if heading else ''), text.replace('"', ''))


def manual(page, lines):
    out, fenced = [], False
    for line in lines:
        if line.startswith('```'):
            fenced = not fenced
        if not fenced and line == '@headers':
            out += table_of_headers()
            continue
        if not fenced:
            heading = re.match(r'(#+) (.*)', line)
            if heading and len(heading.group(1)) == 1:
                line += ' {#page-%s}' % page
            elif heading:
                line += ' {#%s}' % anchor(page, heading.group(2))
            else:
                line = re.sub(r'\[([^\]]+)\]\(([^)\s]+)\)', lambda match: link(page, match), line)
        out.append(line)
    return out


def main():
    path = sys.argv[1]
    with open(path, encoding='utf-8') as file:
        lines = file.read().split('\n')
    if path.endswith('.md'):
        lines = manual(os.path.basename(path)[:-3], lines)
    else:
        lines = header(lines)
    sys.stdout.buffer.write('\n'.join(lines).encode('utf-8'))


main()
