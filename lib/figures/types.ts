/**
 * Figures as plain JSON: the part of Plotly's schema that serlab uses, typed. A {@linkcode Figure} can be handed to
 * Plotly.js, to nodeplotlib, to Jupyter as `application/vnd.plotly.v1+json`, and to our own `renderSvg`.
 *
 * Names and meanings are Plotly's (https://plotly.com/javascript/reference/, version 2.x). Only what `renderSvg` draws
 * is declared, so that a figure which type-checks also has a faithful picture.
 *
 * @module
 */

/** A coordinate: a number on a linear or log axis, text on a category axis; `null` leaves a gap. */
export type Coordinate = number | string | null;

/** Identifier of an x axis: `x`, `x2`, `x3`, … */
export type XAxisId = "x" | `x${number}`;

/** Identifier of a y axis: `y`, `y2`, `y3`, … */
export type YAxisId = "y" | `y${number}`;

/** How a line is drawn. */
export interface Line {
  /** CSS colour, `#rrggbb` or `rgba(…)`. */
  readonly color?: string;
  /** Width in pixels. */
  readonly width?: number;
  /** Dash pattern. */
  readonly dash?: "solid" | "dot" | "dash" | "dashdot";
  /** Straight lines between points, or steps. */
  readonly shape?: "linear" | "hv";
}

/** Shape of a marker. */
export type MarkerSymbol =
  | "circle"
  | "circle-open"
  | "square"
  | "square-open"
  | "diamond"
  | "diamond-open"
  | "triangle-up"
  | "cross"
  | "x"
  | "line-ns-open";

/** How points are drawn. */
export interface Marker {
  /** One colour, or one a point. */
  readonly color?: string | readonly string[];
  /** Diameter in pixels. */
  readonly size?: number;
  /** Shape. */
  readonly symbol?: MarkerSymbol;
  /** In [0, 1]. */
  readonly opacity?: number;
  /** Outline. */
  readonly line?: { readonly color?: string; readonly width?: number };
}

/** Error bars: distances from the point, in data units. */
export interface ErrorBar {
  /** The lengths are given by `array`. */
  readonly type: "data";
  /** Whether `array` serves both directions. */
  readonly symmetric: boolean;
  /** Distances upwards (or to the right). */
  readonly array: readonly number[];
  /** Distances downwards (or to the left), when not symmetric. */
  readonly arrayminus?: readonly number[];
  /** CSS colour; the trace's when absent. */
  readonly color?: string;
  /** Width of the line in pixels. */
  readonly thickness?: number;
  /** Half the length of the end caps in pixels; 0 draws none. */
  readonly width?: number;
}

/** What every trace has. */
export interface TraceCommon {
  /** Name in the legend and on hovering. */
  readonly name?: string;
  /** Whether the trace has a line in the legend. */
  readonly showlegend?: boolean;
  /** Traces of one group share one switch in Plotly's legend. */
  readonly legendgroup?: string;
  /** Plotly's template of the hover text. */
  readonly hovertemplate?: string;
  /** `skip` takes the trace out of hovering. */
  readonly hoverinfo?: "skip" | "all" | "none";
  /** In [0, 1]. */
  readonly opacity?: number;
  /** The x axis it is drawn on; `x` when absent. */
  readonly xaxis?: XAxisId;
  /** The y axis it is drawn on; `y` when absent. */
  readonly yaxis?: YAxisId;
}

/** Lines, points and text. */
export interface ScatterTrace extends TraceCommon {
  /** Kind of trace. */
  readonly type: "scatter";
  /** Horizontal coordinates. */
  readonly x: readonly Coordinate[];
  /** Vertical coordinates. */
  readonly y: readonly Coordinate[];
  /** What is drawn. */
  readonly mode: "lines" | "markers" | "lines+markers" | "text" | "markers+text";
  /** How lines are drawn. */
  readonly line?: Line;
  /** How points are drawn. */
  readonly marker?: Marker;
  /** Area filled with `fillcolor`. */
  readonly fill?: "none" | "tozeroy" | "toself" | "tonexty";
  /** CSS colour of the area. */
  readonly fillcolor?: string;
  /** Horizontal error bars. */
  readonly error_x?: ErrorBar;
  /** Vertical error bars. */
  readonly error_y?: ErrorBar;
  /** Text of each point: drawn in the text modes, shown on hovering otherwise. */
  readonly text?: readonly string[];
  /** Where text stands. */
  readonly textposition?: "top center" | "middle right" | "middle center" | "bottom center";
  /** Extra values a point for the hover template. */
  readonly customdata?: readonly (string | number)[];
}

/** Bars. */
export interface BarTrace extends TraceCommon {
  /** Kind of trace. */
  readonly type: "bar";
  /** Positions (vertical bars) or lengths (horizontal ones). */
  readonly x: readonly Coordinate[];
  /** Lengths (vertical bars) or positions (horizontal ones). */
  readonly y: readonly Coordinate[];
  /** `v` (when absent) or `h`. */
  readonly orientation?: "v" | "h";
  /** Widths in units of the position axis; by default from the distance of the positions. */
  readonly width?: number | readonly number[];
  /** How bars are filled. */
  readonly marker?: Marker;
  /** Text of each bar. */
  readonly text?: readonly string[];
  /** Where text stands. */
  readonly textposition?: "outside" | "inside" | "none";
  /** Vertical error bars. */
  readonly error_y?: ErrorBar;
  /** Horizontal error bars. */
  readonly error_x?: ErrorBar;
}

/** Colour scale: stops `[position in [0, 1], #rrggbb]`. */
export type ColorScale = readonly (readonly [number, string])[];

/** The bar that explains a colour scale. */
export interface ColorBar {
  /** Title, drawn along the bar. */
  readonly title?: { readonly text: string; readonly side?: "right" | "top" };
  /** Positions of the ticks. */
  readonly tickvals?: readonly number[];
  /** Text of the ticks. */
  readonly ticktext?: readonly string[];
  /** Appended to every tick. */
  readonly ticksuffix?: string;
  /** Format of the ticks, d3's notation; see {@linkcode Axis.tickformat}. */
  readonly tickformat?: string;
  /** Thickness in pixels. */
  readonly thickness?: number;
  /** Length as a fraction of the plotting area. */
  readonly len?: number;
  /** Vertical position as a fraction of the plotting area. */
  readonly y?: number;
  /** Width of the outline in pixels. */
  readonly outlinewidth?: number;
}

/** A matrix as colours; row 0 is at the first `y`. */
export interface HeatmapTrace extends TraceCommon {
  /** Kind of trace. */
  readonly type: "heatmap";
  /** Values, `[rows][columns]`; `null` is drawn transparent. */
  readonly z: readonly (readonly (number | null)[])[];
  /** Centres of the columns. */
  readonly x?: readonly (number | string)[];
  /** Centres of the rows. */
  readonly y?: readonly (number | string)[];
  /** Centre of the first column and distance of the columns, instead of `x`. */
  readonly x0?: number;
  /** Distance of the columns. */
  readonly dx?: number;
  /** Centre of the first row and distance of the rows, instead of `y`. */
  readonly y0?: number;
  /** Distance of the rows. */
  readonly dy?: number;
  /** Colours. */
  readonly colorscale: ColorScale;
  /** Value of the first colour. */
  readonly zmin: number;
  /** Value of the last colour. */
  readonly zmax: number;
  /** Whether the colour bar is drawn. */
  readonly showscale?: boolean;
  /** The colour bar. */
  readonly colorbar?: ColorBar;
  /** Gap between columns in pixels. */
  readonly xgap?: number;
  /** Gap between rows in pixels. */
  readonly ygap?: number;
}

/** Box plots from quartiles that were computed by the builder, one box a position. */
export interface BoxTrace extends TraceCommon {
  /** Kind of trace. */
  readonly type: "box";
  /** Positions of the boxes (`orientation` `v`). */
  readonly x?: readonly number[];
  /** Positions of the boxes (`orientation` `h`). */
  readonly y?: readonly number[];
  /** `v` when absent. */
  readonly orientation?: "v" | "h";
  /** First quartiles. */
  readonly q1: readonly number[];
  /** Medians. */
  readonly median: readonly number[];
  /** Third quartiles. */
  readonly q3: readonly number[];
  /** Ends of the lower whiskers. */
  readonly lowerfence: readonly number[];
  /** Ends of the upper whiskers. */
  readonly upperfence: readonly number[];
  /** Width of the boxes in units of the position axis. */
  readonly width?: number;
  /** Outline. */
  readonly line?: Line;
  /** CSS colour of the boxes. */
  readonly fillcolor?: string;
}

/** Any trace. */
export type Trace = ScatterTrace | BarTrace | HeatmapTrace | BoxTrace;

/** Text with font. */
export interface Font {
  /** Size in pixels. */
  readonly size?: number;
  /** CSS colour. */
  readonly color?: string;
}

/** An axis. */
export interface Axis {
  /** Title, with its unit: `Time (s)`. */
  readonly title?: { readonly text: string };
  /** Kind; from the data when absent. */
  readonly type?: "linear" | "log" | "category";
  /** First and last value (log₁₀ of them on a log axis, indices on a category axis). */
  readonly range?: readonly [number, number];
  /** `reversed` turns the axis round. */
  readonly autorange?: true | "reversed";
  /** Whether an automatic range starts at zero. */
  readonly rangemode?: "normal" | "tozero";
  /** Positions of the ticks. */
  readonly tickvals?: readonly number[];
  /** Text of the ticks. */
  readonly ticktext?: readonly string[];
  /** d3's notation; `renderSvg` knows `d`, `,d`, `.Nf`, `.Ng`, `.N%` and `~s`. */
  readonly tickformat?: string;
  /** Appended to every tick. */
  readonly ticksuffix?: string;
  /** How Plotly writes large and small numbers; `renderSvg` always writes powers of ten. */
  readonly exponentformat?: "power";
  /** Distance of the ticks. */
  readonly dtick?: number;
  /** Rotation of the tick text in degrees, clockwise. */
  readonly tickangle?: number;
  /** Whether tick text is drawn. */
  readonly showticklabels?: boolean;
  /** Whether grid lines are drawn. */
  readonly showgrid?: boolean;
  /** Whether a line is drawn at zero. */
  readonly zeroline?: boolean;
  /** Whether the axis line is drawn. */
  readonly showline?: boolean;
  /** Little lines at the ticks. */
  readonly ticks?: "outside" | "";
  /** Part of the plotting area it takes, in [0, 1]. */
  readonly domain?: readonly [number, number];
  /** The axis it stands at. */
  readonly anchor?: XAxisId | YAxisId | "free";
  /** The axis whose range it shares. */
  readonly matches?: XAxisId | YAxisId;
  /** Order of the categories. */
  readonly categoryarray?: readonly string[];
  /** `array` with `categoryarray`. */
  readonly categoryorder?: "array" | "trace";
  /** Lets Plotly widen the margin for the tick text. */
  readonly automargin?: boolean;
  /** Font of the tick text. */
  readonly tickfont?: Font;
  /** Whether anything of the axis is drawn. */
  readonly visible?: boolean;
}

/** Text at a place. */
export interface Annotation {
  /** The text; `<br>`, `<b>`, `<i>`, `<sub>`, `<sup>` are understood. */
  readonly text: string;
  /** Horizontal place, in units of `xref`. */
  readonly x: number | string;
  /** Vertical place, in units of `yref`. */
  readonly y: number | string;
  /** An axis, the domain of an axis, or `paper`: the plotting area, [0, 1]. */
  readonly xref: XAxisId | `${XAxisId} domain` | "paper";
  /** An axis, the domain of an axis, or `paper`: the plotting area, [0, 1]. */
  readonly yref: YAxisId | `${YAxisId} domain` | "paper";
  /** Which part of the text stands at `x`. */
  readonly xanchor?: "left" | "center" | "right";
  /** Which part of the text stands at `y`. */
  readonly yanchor?: "top" | "middle" | "bottom";
  /** Always without an arrow. */
  readonly showarrow: false;
  /** Font. */
  readonly font?: Font;
  /** Shift in pixels to the right. */
  readonly xshift?: number;
  /** Shift in pixels upwards. */
  readonly yshift?: number;
  /** Rotation in degrees, clockwise. */
  readonly textangle?: number;
  /** CSS colour behind the text. */
  readonly bgcolor?: string;
}

/** A line or a rectangle at a place. */
export interface Shape {
  /** Kind. */
  readonly type: "line" | "rect";
  /** An axis, the domain of an axis, or `paper`. */
  readonly xref: XAxisId | `${XAxisId} domain` | "paper";
  /** An axis, the domain of an axis, or `paper`. */
  readonly yref: YAxisId | `${YAxisId} domain` | "paper";
  /** Left. */
  readonly x0: number | string;
  /** Right. */
  readonly x1: number | string;
  /** Bottom. */
  readonly y0: number | string;
  /** Top. */
  readonly y1: number | string;
  /** Outline. */
  readonly line?: Line;
  /** CSS colour of a rectangle. */
  readonly fillcolor?: string;
  /** Over or under the traces. */
  readonly layer?: "above" | "below";
  /** In [0, 1]. */
  readonly opacity?: number;
}

/** Everything of a figure that is not data. */
export interface Layout {
  /** Title; a second line after `<br>` in `<sub>` is the subtitle. */
  readonly title?: {
    readonly text: string;
    readonly x?: number;
    readonly xanchor?: "left" | "center";
    readonly xref?: "paper" | "container";
    readonly y?: number;
    readonly yanchor?: "top";
    readonly yref?: "container";
    readonly pad?: { readonly t?: number };
    readonly font?: Font;
  };
  /** Width in pixels; Plotly fills the page when absent. */
  readonly width?: number;
  /** Height in pixels. */
  readonly height?: number;
  /** Margins in pixels: at least these. */
  readonly margin?: { readonly l?: number; readonly r?: number; readonly t?: number; readonly b?: number };
  /** Whether a legend is drawn; by default when more than one trace has a name. */
  readonly showlegend?: boolean;
  /** `h` above the plot, `v` at its right. */
  readonly legend?: {
    readonly orientation?: "h" | "v";
    readonly x?: number;
    readonly y?: number;
    readonly xanchor?: "left" | "center" | "right";
    readonly yanchor?: "top" | "middle" | "bottom";
    readonly title?: { readonly text: string };
    readonly traceorder?: "normal" | "reversed";
  };
  /** How bars at one place stand to each other. */
  readonly barmode?: "group" | "stack" | "overlay";
  /** Gap between bars, a fraction of their distance. */
  readonly bargap?: number;
  /** Text at places. */
  readonly annotations?: readonly Annotation[];
  /** Lines and rectangles at places. */
  readonly shapes?: readonly Shape[];
  /** Colours of traces that name none. */
  readonly colorway?: readonly string[];
  /** CSS colour of the whole figure. */
  readonly paper_bgcolor?: string;
  /** CSS colour of the plotting area. */
  readonly plot_bgcolor?: string;
  /** Font of everything. */
  readonly font?: Font & { readonly family?: string };
  /** What hovering shows. */
  readonly hovermode?: "closest" | "x" | "x unified" | "y" | false;
  /** What the figure shows, in words, for those who cannot see it: becomes the SVG's `<desc>`. */
  readonly meta?: { readonly description: string };
  /** First x axis. */
  readonly xaxis?: Axis;
  /** First y axis. */
  readonly yaxis?: Axis;
  /** Further x axes. */
  readonly [axis: `xaxis${number}`]: Axis;
  /** Further y axes. */
  readonly [axis: `yaxis${number}`]: Axis;
}

/** A figure: traces and layout, plain JSON. */
export interface Figure {
  /** What is drawn, in order. */
  readonly data: readonly Trace[];
  /** How. */
  readonly layout: Layout;
}
