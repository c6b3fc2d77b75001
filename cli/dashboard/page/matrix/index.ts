/** The matrix: rows talk to columns. */

export { MatrixView } from './matrix_view.tsx';
