<?php
/**
 * Plugin Name: Ringtrail
 * Description: Shows each visitor a telephone number of their own, and tells Ringtrail which forms they send.
 * Version: 1.1
 * Requires PHP: 7.4
 * License: MIT
 */

if (!defined('ABSPATH')) {
    exit;
}

const RINGTRAIL_OPTION = 'ringtrail_snippet';
const RINGTRAIL_FIELDS = [
    'swap' => ['src', 'integrity', 'data-site', 'data-number', 'data-national'],
    'forms' => ['src', 'integrity', 'data-site'],
];

/** Returns for each script of the snippets its attributes; none where anything in the text is not Ringtrail's. */
function ringtrail_parse($text)
{
    $text = (string) $text;
    preg_match_all('#<script\s([^<>]*)></script>#', $text, $tags);
    if (trim(str_replace($tags[0], '', $text)) !== '') {
        return [];
    }
    $scripts = array_map('ringtrail_attributes', $tags[1]);
    return in_array([], $scripts, true) ? [] : $scripts;
}

/** Returns the attributes of one script; none where it is not Ringtrail's. */
function ringtrail_attributes($written)
{
    preg_match_all('/(?:^|\s)([a-z-]+)="([^"<>]*)"/', $written, $pairs);
    $told = array_combine($pairs[1], $pairs[2]);
    if (!preg_match('#^https?://[^\s"]+/c/\d+/(swap|forms)\.js$#', $told['src'] ?? '', $name)) {
        return [];
    }
    $found = [];
    foreach (RINGTRAIL_FIELDS[$name[1]] as $field) {
        $found[$field] = html_entity_decode($told[$field] ?? '', ENT_QUOTES, 'UTF-8');
    }
    $right = !in_array('', $found, true)
        && preg_match('#^sha384-[A-Za-z0-9+/]{64}$#', $found['integrity'])
        && preg_match('/^[0-9a-f]{12}$/', $found['data-site']);
    return $right ? $found : [];
}

/** Keeps snippets of ours only. */
function ringtrail_clean($text)
{
    $text = is_string($text) ? trim(wp_unslash($text)) : '';
    if ($text !== '' && !ringtrail_parse($text)) {
        add_settings_error(RINGTRAIL_OPTION, 'snippet', 'Paste the whole snippet, or both, from the page of the website in Ringtrail.');
        return get_option(RINGTRAIL_OPTION, '');
    }
    return $text;
}

add_action('admin_init', function () {
    register_setting('ringtrail', RINGTRAIL_OPTION, ['type' => 'string', 'sanitize_callback' => 'ringtrail_clean', 'default' => '']);
});

add_action('admin_menu', function () {
    add_options_page('Ringtrail', 'Ringtrail', 'manage_options', 'ringtrail', function () {
        echo '<div class="wrap"><h1>Ringtrail</h1><form method="post" action="options.php">';
        settings_fields('ringtrail');
        echo '<p><label for="ringtrail-snippet">Snippets</label></p>';
        echo '<textarea id="ringtrail-snippet" class="large-text code" rows="5" name="' . esc_attr(RINGTRAIL_OPTION) . '">';
        echo esc_textarea(get_option(RINGTRAIL_OPTION, ''));
        echo '</textarea>';
        submit_button();
        echo '</form></div>';
    });
});

add_action('wp_footer', function () {
    foreach (ringtrail_parse(get_option(RINGTRAIL_OPTION, '')) as $attributes) {
        $written = '';
        foreach ($attributes as $name => $value) {
            $written .= ' ' . $name . '="' . esc_attr($value) . '"';
        }
        echo '<script' . $written . ' crossorigin="anonymous" defer></script>' . "\n";
    }
});
